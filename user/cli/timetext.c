/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "timetext.h"

#include <math.h>
#include <string.h>

#include "util.h"

bool timetext_ns(const char *text, double unit_ns, double *out_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "min", 60e9 } };
	char *end;
	double number = strtod(text, &end);

	if (end == text)
		return false;
	end += *end == ' ';
	for (size_t i = 0; *end && i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		unit_ns = units[i].ns;
		end += strlen(end);
	}
	*out_ns = number * unit_ns;
	return !*end && isfinite(number) && *out_ns >= 1 && *out_ns <= 1e18;
}
