"""metadata.json of the Flex Template: what the console shows and the service checks."""

import json
from typing import Any

from pipeline.launch import options
from pipeline.launch.parameter import Parameter

# How the console treats the template; docs/decisions/0009 says why so.
_TEMPLATE = {
    "name": "Healthcare claims from Pub/Sub to BigQuery",
    "description": options.DESCRIPTION,
    "streaming": True,
    "supportsAtLeastOnce": True,
    "supportsExactlyOnce": True,
    "defaultStreamingMode": "EXACTLY_ONCE",
}
_REGEXES = {"GCS_READ_FILE": f"^{options.STORED_FILE}$"}


def metadata_json() -> str:
    """The document, as text."""
    parameters = [_parameter(each) for each in options.PARAMETERS]
    return json.dumps(_TEMPLATE | {"parameters": parameters}, indent=2) + "\n"


def _parameter(declared: Parameter) -> dict[str, Any]:
    regex = declared.dataflow_regex or declared.regex or _REGEXES.get(declared.param_type)
    parent, *values = declared.only_with or (None,)
    every: dict[str, Any] = {
        "name": declared.name,
        "label": declared.label,
        "helpText": declared.text,
        "groupName": declared.section,
        "paramType": declared.param_type,
        "isOptional": not declared.required,
        "regexes": [regex] if regex else None,
        "enumOptions": [
            {"value": choice.value, "label": choice.label, "description": choice.meaning}
            for choice in declared.choices
        ],
        "defaultValue": declared.default_text,
        "parentName": parent,
        "parentTriggerValues": values,
        "hiddenUi": declared.hidden,
    }
    return {key: value for key, value in every.items() if value not in (None, False, [])}
