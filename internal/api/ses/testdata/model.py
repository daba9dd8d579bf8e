"""Writes model.json: the members of the inputs of all operations of the SES API, as boto3 knows them.

Members of lists have no number: Tags.Name. Run it where botocore is installed:  python3 model.py > model.json
"""

import json

import botocore.session

model = botocore.session.get_session().get_service_model("ses", "2010-12-01")


def members(shape, path):
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from members(member, path + [name])
    elif shape.type_name == "list":
        yield from members(shape.member, path)
    else:
        yield ".".join(path)


out = {}
for name in model.operation_names:
    operation = model.operation_model(name)
    shape = operation.input_shape
    out[name] = {
        "Input": sorted(members(shape, [])) if shape else [],
        "Result": operation.output_shape is not None,
        "Errors": sorted(e.metadata.get("error", {}).get("code", e.name) for e in operation.error_shapes),
    }
print(json.dumps(out, indent=1, sort_keys=True))
