#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What flowtrack -j prints, against its JSON Schema. Here a member that the schema does not have is an error.

    schema.py FILE      outputs, as the tool's unit tests leave them: each a line "\\036VERB" and what it printed
"""

import json
import os
import sys

import jsonschema

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../flowtrack/schema/flowtrack-1.json")
# So many elements of an array are looked at, each the same way.
ELEMENTS = 50


def load():
    with open(PATH, encoding="utf-8") as f:
        return json.load(f)


def strict(node):
    """The same schema, but for what may be added: a member that is added is added to the schema, too."""
    if isinstance(node, list):
        return [strict(value) for value in node]
    if not isinstance(node, dict):
        return node
    closed = {key: strict(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and "additionalProperties" not in node:
        closed["additionalProperties"] = False
    return closed


def problems(verb, text):
    """What is wrong with the output of a verb, one line each."""
    schema = strict(load())
    if verb not in schema["$defs"]:
        return [f"{verb}: not in the schema"]
    lines = [line for line in text.splitlines() if line.strip()] if verb == "monitor" else [text]
    validator = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{verb}", "$defs": schema["$defs"]})
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError as e:
            found.append(f"{verb}: {e}: {line[:200]}")
            continue
        if isinstance(value, list):
            value = value[:ELEMENTS]
        best = jsonschema.exceptions.best_match(validator.iter_errors(value))
        if best:
            found.append(f"{verb}: {'/'.join(map(str, best.absolute_path))}: {best.message}"[:500])
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        records = f.read().split("\036")[1:]
    verbs, found = set(), []
    for record in records:
        verb, text = record.split("\n", 1)
        verbs.add(verb)
        found += problems(verb, text)
    print("\n".join(dict.fromkeys(found)) or f"# {len(records)} outputs of {len(verbs)} verbs: {' '.join(sorted(verbs))}")
    sys.exit(1 if found or not records else 0)


if __name__ == "__main__":
    main()
