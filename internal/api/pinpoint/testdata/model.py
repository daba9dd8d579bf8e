"""Prints what botocore's model of the API says of the operations that are served here:

    python3 testdata/model.py > testdata/model.json
"""

import json

import botocore.loaders

SERVED = """CreateApp DeleteApp DeleteEndpoint DeleteEventStream DeleteUserEndpoints GetApp GetApplicationSettings GetApps
GetEndpoint GetEventStream GetUserEndpoints ListTagsForResource PhoneNumberValidate PutEventStream PutEvents TagResource
UntagResource UpdateApplicationSettings UpdateEndpoint UpdateEndpointsBatch""".split()

model = botocore.loaders.Loader().load_service_model("pinpoint", "service-2", "2016-12-01")
shapes = {}


def kind(name):
    """Notes down the shape and returns what stands for it: a type, or its name."""
    shape = model["shapes"][name]
    if shape["type"] == "list":
        return [kind(shape["member"]["shape"])]
    if shape["type"] == "map":
        return {"*": kind(shape["value"]["shape"])}
    if shape["type"] != "structure":
        return shape["type"]
    if name not in shapes:
        shapes[name] = {}
        shapes[name] = {m.get("locationName", k): kind(m["shape"]) for k, m in shape["members"].items() if "location" not in m}
    return name


def body(name):
    """The kind of what travels as the body: the payload of the shape, or nothing."""
    shape = model["shapes"][name]
    return kind(shape["members"][shape["payload"]]["shape"]) if "payload" in shape else ""


operations = {}
for name in SERVED:
    operation = model["operations"][name]
    request = model["shapes"][operation["input"]["shape"]]
    operations[name] = {
        "method": operation["http"]["method"],
        "path": operation["http"]["requestUri"],
        "status": operation["http"]["responseCode"],
        "query": sorted(m["locationName"] for m in request["members"].values() if m.get("location") == "querystring"),
        "request": body(operation["input"]["shape"]),
        "reply": body(operation["output"]["shape"]) if "output" in operation else "",
    }
print(json.dumps({"operations": operations, "shapes": shapes}, indent=1, sort_keys=True))
