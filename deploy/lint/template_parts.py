"""A template comes in as cfn-lint reads it; the parts that several rules ask for come out: its resources,
the integrations of its APIs however they are written, and values as one text.

No rule, but in this folder, because cfn-lint loads what stands beside the rules it is given.
"""
import datetime
import itertools
import json
import re

STREAMING_PATH = "/response-streaming-invocations"
INTEGRATION = "x-amazon-apigateway-integration"


def text(value):
    """A value with all its functions as one text: what is searched for is in it, wherever it stands. The
    parts of a join are put together."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and set(value) == {"Fn::Join"} and isinstance(value["Fn::Join"][1], list):
        return str(value["Fn::Join"][0]).join(text(part) for part in value["Fn::Join"][1])
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        sub = value["Fn::Sub"]
        if isinstance(sub, str):
            return sub
        return variables(str(sub[0]), lambda name: text(sub[1][name]) if name in sub[1] else None)
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return "${" + str(value["Ref"]) + "}"
    if isinstance(value, dict) and set(value) == {"Fn::GetAtt"}:
        name = value["Fn::GetAtt"]
        return "${" + (name if isinstance(name, str) else ".".join(map(str, name))) + "}"
    if isinstance(value, datetime.date):
        # YAML's own, of 2021-11-15 without quotes.
        return value.isoformat()
    return json.dumps(value, default=str)


def variables(pattern, value):
    """A pattern of Fn::Sub with the values of its names; a name whose value is None stays."""

    def of(found):
        known = value(found[1].strip())
        return found[0] if known is None else known

    return re.sub(r"\$\{([^!}][^}]*)\}", of, pattern)


def resources(template, *types):
    """Name and properties of each resource of these types."""
    found = template.get("Resources")
    for name, resource in (found if isinstance(found, dict) else {}).items():
        if isinstance(resource, dict) and resource.get("Type") in types:
            properties = resource.get("Properties")
            # Whatever else stands there cfn-lint itself complains of.
            yield name, properties if isinstance(properties, dict) else {}


def integrations(template):
    """Path and properties of each integration: of methods, and of OpenAPI in a template, whose keys are
    spelled in their way."""
    for name, properties in resources(template, "AWS::ApiGateway::Method"):
        yield from choices(properties.get("Integration"), ["Resources", name, "Properties", "Integration"])
    for kind, key in (("AWS::ApiGateway::RestApi", "Body"), ("AWS::Serverless::Api", "DefinitionBody")):
        for name, properties in resources(template, kind):
            base = ["Resources", name, "Properties", key]
            for path, found in below(properties.get(key), INTEGRATION, base):
                for at, choice in choices(found, path):
                    yield at, {as_in_cloudformation(word): value for word, value in choice.items()}


def choices(value, path):
    """Path and value of each object that a value may be: of an If, both that it chooses from."""
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        for index, choice in list(enumerate(value["Fn::If"]))[1:]:
            yield from choices(choice, [*path, "Fn::If", index])
    elif isinstance(value, dict) and "Ref" not in value:
        yield path, value


def as_in_cloudformation(word):
    return "IntegrationHttpMethod" if word == "httpMethod" else word[:1].upper() + word[1:]


def below(value, key, path):
    """Path and value of each `key` in a tree."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for word, part in items:
        if word == key:
            yield [*path, word], part
        else:
            yield from below(part, key, [*path, word])


def sam_events(template):
    """Path, properties and function's name of each `Api` event of SAM."""
    for name, properties in resources(template, "AWS::Serverless::Function"):
        events = properties.get("Events")
        for event, described in (events if isinstance(events, dict) else {}).items():
            if isinstance(described, dict) and described.get("Type") == "Api":
                path = ["Resources", name, "Properties", "Events", event, "Properties"]
                found = described.get("Properties")
                yield path, found if isinstance(found, dict) else {}, name


def written(template, value):
    """A value, or the default of the parameter that stands for it."""
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return ((template.get("Parameters") or {}).get(value["Ref"]) or {}).get("Default")
    return value


def possible(template, value):
    """The texts that a value may be, by the defaults of parameters, both sides of conditions and what maps have."""
    if not isinstance(value, dict):
        return {text(value)}
    if set(value) == {"Ref"}:
        default = written(template, value)
        return set() if default is None or isinstance(default, dict) else {text(default)}
    if set(value) == {"Fn::If"} and isinstance(value["Fn::If"], list):
        return {found for choice in value["Fn::If"][1:] for found in possible(template, choice)}
    if set(value) == {"Fn::FindInMap"} and isinstance(value["Fn::FindInMap"], list):
        maps, default = value["Fn::FindInMap"][:3], value["Fn::FindInMap"][3:]
        found = {text(leaf) for leaf in of_map(template.get("Mappings"), maps)}
        given = [part["DefaultValue"] for part in default if isinstance(part, dict) and "DefaultValue" in part]
        return found | {words for part in given for words in possible(template, part)}
    if set(value) == {"Fn::Sub"}:
        sub = value["Fn::Sub"]
        pattern, own = (sub, {}) if isinstance(sub, str) else (str(sub[0]), sub[1])
        names = {name.strip() for name in re.findall(r"\$\{([^!}][^}]*)\}", pattern)}
        choices = {name: possible(template, own.get(name, {"Ref": name})) for name in names}
        known = sorted(name for name in names if choices[name])
        found = itertools.product(*(sorted(choices[name]) for name in known))
        return {variables(pattern, dict(zip(known, values)).get) for values in found}
    return {text(value)}


def of_map(value, keys):
    """What stands in a map under these keys; one that is no text may be any."""
    if not keys:
        return [value]
    if not isinstance(value, dict):
        return []
    parts = value.values() if not isinstance(keys[0], str) else [value[keys[0]]] if keys[0] in value else []
    return [leaf for part in parts for leaf in of_map(part, keys[1:])]


def number(template, value):
    """A number that is written, or the default of the parameter that stands for it; else None."""
    try:
        return int(written(template, value))
    except (TypeError, ValueError):
        return None


def named_resources(value):
    """The names that stand in a value's functions, without those that begin with AWS::."""
    return {name for name in re.findall(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z.]+)?\}", text(value))} | {
        name if isinstance(name, str) else name[0]
        for key in ("Ref", "Fn::GetAtt")
        for _, name in below({"": value}, key, [])
    }
