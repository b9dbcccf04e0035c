"""Ends at once: whoever runs it wants to know whether that can be done."""
