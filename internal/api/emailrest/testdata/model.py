"""Prints what botocore's models of both APIs say of their operations:

    python3 testdata/model.py > testdata/model.json
"""

import json

import botocore.loaders


def read(service, version):
    model = botocore.loaders.Loader().load_service_model(service, "service-2", version)
    shapes = model["shapes"]

    def members(name, prefix=""):
        """The members of a shape that travel in the body, as in "Tags.Key"."""
        shape = shapes[name]
        if shape["type"] in ("list", "map"):
            inner = shape["member" if shape["type"] == "list" else "value"]["shape"]
            return members(inner, prefix) if shapes[inner]["type"] == "structure" else []
        found = []
        for member, ref in shape.get("members", {}).items():
            if "location" not in ref:
                found.append(prefix + member)
                if shapes[ref["shape"]]["type"] in ("structure", "list", "map"):
                    found += members(ref["shape"], prefix + member + ".")
        return found

    def located(name, location):
        """The members of a shape that travel in the path or the query."""
        return sorted(ref["locationName"] for ref in shapes[name].get("members", {}).values() if ref.get("location") == location)

    operations = {}
    for name, operation in model["operations"].items():
        sent = operation["input"]["shape"]
        operations[name] = {
            "method": operation["http"]["method"],
            "path": operation["http"]["requestUri"],
            "query": located(sent, "querystring"),
            "input": sorted(members(sent)),
            "output": sorted(members(operation["output"]["shape"])),
            "errors": sorted(error["shape"] for error in operation.get("errors", [])),
        }
    errors = {name: shape["error"]["httpStatusCode"] for name, shape in shapes.items() if shape.get("exception")}
    return {"operations": operations, "errors": errors}


print(json.dumps({"pinpoint": read("pinpoint-email", "2018-07-26"), "v2": read("sesv2", "2019-09-27")}, indent=1, sort_keys=True))
