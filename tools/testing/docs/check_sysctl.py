#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/sysctl.rst against the settings in kmod/base/settings.c and the parameters in kmod/main.c."""

import re

from common import HEADER, check, code, differences, enums, finish, number, read

DOC = "Documentation/sysctl.rst"


def constants():
    names, _ = enums(code(HEADER))
    names.update(enums(code("kmod/base/settings.h"))[0])
    names["U32_MAX"] = 2**32 - 1
    for header in ("kmod/base/limits.h",):
        for name, value in re.findall(r"#define\s+(FT_FLOWS_MAX|FT_BUCKETS_M\w+)\s+(.+)", code(header)):
            names[name] = number(value, names)
    return names


def word_lists(text):
    lists = {}
    for name, body in re.findall(r"const char \* const (\w+)\[\] = {(.*?)};", text, re.S):
        lists[name] = re.findall(r'\] = "(\w*)"', body)
    return lists


def from_code():
    """{sysctl suffix: how the documentation must describe it}"""
    text = code("kmod/base/settings.c")
    names, words = constants(), word_lists(text)
    settings = {}
    pattern = r"\[A\(\w+\)\] =\s*(NUMBER|SWITCH|FOLLOWS|SECONDS|MEMORY|ENUM)\((.*?)\),?\s*(?=\[A\(|};)"
    for macro, arguments in re.findall(pattern, text, re.S):
        name, *args = (arg.strip() for arg in arguments.split(","))
        if macro == "ENUM":
            offered = words[args[0]]
            settings[name] = ("WORD", f"default {offered[number(args[2], names)]}, one of " +
                              ", ".join(offered[number(args[1], names):]))
            continue
        args = [number(arg, names) if arg else arg for arg in args]
        if macro == "SWITCH":
            settings[name] = ("BOOLEAN", f"default {args[0]}")
        elif macro == "FOLLOWS" and args[0] == 1:
            settings[name] = ("BOOLEAN", f"default {args[1]}")
        elif macro == "FOLLOWS":
            settings[name] = ("INTEGER", f"default {args[1]}, range 0 to {args[0]}")
        elif macro == "SECONDS":
            settings[name] = ("INTEGER (seconds)", f"default {args[0]}")
        elif macro == "NUMBER":
            settings[name] = ("INTEGER", f"default {args[2]}, range {args[0]} to {args[1]}")
        else:
            initial = "by memory" if args[0] else "0"
            settings[name] = ("INTEGER", f"default {initial}, range {args[0]} to {args[1]}")
    for name, rest in re.findall(r"SETTING\((\w+), FT_SETTING_NUMBER\),(.*?)}", text, re.S):
        if "readonly = true" in rest:
            values = {key: number(arg, names) for key, arg in re.findall(r"\.(max|def) = (\w+)", rest)}
            settings[name] = ("INTEGER (read-only)", f"default {values.get('def', 0)}, range 0 to {values['max']}")
    return settings


def from_doc(prefix):
    found = {}
    for name, kind, line in re.findall(r"^(" + prefix + r"\w+) - ([A-Z]+(?: \([\w-]+\))?)\n\t(.*)$", read(DOC), re.M):
        name = name.removeprefix("nf_flowtrack_")
        if name in found:
            found[name] = ("documented twice", "")
        else:
            found[name] = (kind, line)
    return found


def without_text(prefix):
    """Entries that say what they are and not what for."""
    text = read(DOC)
    for m in re.finditer(r"^(" + prefix + r"\w+) - [A-Z].*\n\t.*\n\n(.*)", text, re.M):
        if not m.group(2).startswith("\t"):
            yield m.group(1)


def main():
    settings = from_code()
    attrs = [n for n in enums(code(HEADER))[0]
             if re.match(r"FLOWTRACK_A_SETTINGS_", n) and not n.endswith(("_SETTINGS_MAX", "_FOLLOWING"))]
    check("sysctl: the check understands every setting of kmod/base/settings.c",
          [] if len(settings) == len(attrs) else [f"{len(settings)} of {len(attrs)}"])
    check("sysctl: names, types, defaults and ranges are those of kmod/base/settings.c",
          differences(settings, from_doc("nf_flowtrack_"), "kmod/base/settings.c", DOC))
    check("sysctl: every setting has a meaning", without_text("nf_flowtrack_"))

    longest = re.search(r"FT_TIMEOUT_MAX\s+\(\(u32\)\(S32_MAX / HZ / 2\)\)", read("kmod/base/limits.h"))
    half = (2**31 - 1) // 2
    said = [str((2**31 - 1) // 250 // 2), str(half)]
    check("sysctl: the longest timeout is that of kmod/base/limits.h",
          ([] if longest else ["FT_TIMEOUT_MAX is not what this check knows"]) +
          [n for n in said if n not in read(DOC)])

    main_c = code("kmod/main.c")
    params = set(re.findall(r"module_param_cb\((\w+),", main_c))
    section = read(DOC).split("Module parameters\n", 1)[1]
    documented = set(re.findall(r"^(\w+) - [A-Z]+\n\tdefault", section, re.M))
    check("sysctl: module parameters are those of kmod/main.c",
          differences(params, documented, "kmod/main.c", DOC))
    check("sysctl: modinfo describes every module parameter",
          differences(params, set(re.findall(r"MODULE_PARM_DESC\((\w+),", main_c)), "module_param", "MODULE_PARM_DESC"))
    finish()


main()
