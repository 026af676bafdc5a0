"""Random calls by botocore itself: the other side of src/protocol/differential.rs. Requests are its serializers'. Answers are made by moto's
response serializer (CBOR's by botocore's own), errors here; what is in them is what botocore's parsers read.

  differential.py make BOTOCORE SEED OPERATIONS [SERVICES…]   a JSON line a call, at most so many operations a service and protocol
  differential.py endpoints BOTOCORE [SERVICES…]              a JSON line an endpoint of every rule set
  differential.py compare BOTOCORE < LINES                             lines {"id", "theirs", "ours"}; prints those that differ
"""
import base64, datetime, gzip, json, os, random, re, sys, urllib.parse
import xml.etree.ElementTree as ET

CBOR = "smithy-rpc-v2-cbor"
PROTOCOLS = ["json", "rest-json", "rest-xml", "query", "ec2", CBOR]
TEXTS = ["abc", "a b&c<d>\"'", "ü/+", "x=1", "eu-west-1", "%41?#", "1"]
UTC = datetime.timezone.utc


def shown_name(name):
    """A member as Step Functions names it: the AWS SDK for Java's setter (`Utils.unCapitalize`) with a capital first."""
    if name == "equals":
        return "EqualsValue"
    end = 1
    while end < len(name) and name[end].isupper() and not (end + 1 < len(name) and name[end + 1].islower()):
        end += 1
    return name[0].upper() + name[1:end].lower() + name[end:]


class Giver:
    """Random values: for botocore, and the same as a task's parameters or result."""

    def __init__(self, rng, answer): self.rng, self.answer = rng, answer

    def count(self):
        """Of elements: none now and then."""
        return self.rng.choice([0, 1, 1, 1, 1, 2, 2, 2, 2, 2])

    def text(self, member):
        location = member.serialization.get("location")
        if member.serialization.get("hostLabel") or member.metadata.get("hostLabel"): return "label1"
        texts = TEXTS if location not in ("header", "headers", "uri") else ["abc", "a b", "x=1"] if location != "uri" else ["abc", "a b/c", "ü"]
        return self.rng.choice(texts)

    def value(self, shape, depth):
        kind = shape.type_name
        if kind == "structure":
            if shape.is_document_type: return ({"a": [1, "b"]},) * 2
            return self.structure(shape, depth)
        if kind == "list":
            items = [self.value(shape.member, depth + 1) for _ in range(self.count())]
            return [a for a, _ in items], [b for _, b in items]
        if kind == "map":
            keys = self.rng.sample(["k", "key2", "a-b"], self.count())
            values = {k: self.value(shape.value, depth + 1) for k in keys}
            return {k: v[0] for k, v in values.items()}, {k: v[1] for k, v in values.items()}
        if kind == "integer": return (self.rng.choice([0, 1, 443, -7, 2**31 - 1]),) * 2
        if kind == "long": return (self.rng.choice([0, 1, 443, -7, 2**53 + 1, 2**63 - 1]),) * 2
        if kind in ("float", "double"): return (self.rng.choice([0.5, -2.25, 3.0]),) * 2
        if kind == "boolean": return (self.rng.random() < .5,) * 2
        if kind == "timestamp":
            at = datetime.datetime.fromtimestamp(self.rng.randint(1, 2_000_000_000), UTC)
            return at, at.strftime("%Y-%m-%dT%H:%M:%SZ")
        if kind == "blob":
            text = self.rng.choice(["blob", "ü\n"])
            if self.answer and self.rng.random() < .3: return b"\x00\xff", "AP8="  # no text: shown in base64
            return text.encode(), text
        return (self.text(shape),) * 2

    def structure(self, shape, depth):
        theirs, ours = {}, {}
        names = list(shape.members)
        if getattr(shape, "is_tagged_union", False): names = [self.rng.choice(names)]
        for name in names:
            member = shape.members[name]
            # moto leaves out what is empty, and writes a payload that isn't there
            if member.serialization.get("jsonvalue"):  # for a header botocore takes an object, the Java SDK its text
                text = '{"a":1}'
                if not self.answer: theirs[name], ours[shown_name(name)] = json.loads(text) if member.serialization.get("location") else text, text
                continue
            needed = name == shape.serialization.get("payload") or depth and not theirs and name == names[-1]
            needed = needed or member.serialization.get("hostLabel") or name in shape.required_members or member.metadata.get("idempotencyToken") or member.serialization.get("location") == "uri"
            if not needed and (depth > 2 or self.rng.random() < .4): continue
            if depth > 12: continue
            theirs[name], ours[shown_name(name)] = self.value(member, depth + 1)
        return theirs, ours


def has_events(shape):
    return shape is not None and any(m.is_eventstream if hasattr(m, "is_eventstream") else m.serialization.get("eventstream") for m in shape.members.values() if m.type_name == "structure") \
        or shape is not None and getattr(shape, "event_stream_name", None) is not None


def name_of(model): return re.sub("[^a-z0-9]", "", re.sub(" Service$", "", model["metadata"]["serviceId"]).lower())


def make(botocore_folder, seed, most, services):
    sys.path.insert(0, botocore_folder)
    import botocore.compat, botocore.loaders, botocore.model, botocore.parsers, botocore.serialize
    try: import moto.core.serialize as moto, moto.core.model as moto_model
    except ImportError: moto = moto_model = None
    loader = botocore.loaders.Loader(extra_search_paths=[os.path.join(botocore_folder, "botocore", "data")], include_default_search_paths=False)
    for folder in loader.list_available_services("service-2"):
        version = loader.determine_latest_version(folder, "service-2")
        with gzip.open(os.path.join(botocore_folder, "botocore", "data", folder, version, "service-2.json.gz")) as file: data = json.load(file)  # without the extras
        name = name_of(data)
        if services and name not in services: continue
        offered = data["metadata"].get("protocols", [data["metadata"]["protocol"]])
        best = next((p for p in PROTOCOLS if p in offered), None)
        if name == "pinpointsmsvoice": continue
        # CBOR of all that offer it, not only of those that speak nothing else.
        for protocol in dict.fromkeys([best, CBOR if CBOR in offered else best]):
            data["metadata"]["protocol"] = protocol
            model = botocore.model.ServiceModel(data, folder)
            answers = moto_model.ServiceModel(data, folder) if moto else None
            rng = random.Random(f"{seed}{name}{protocol}")
            operations = list(model.operation_names)
            for operation in rng.sample(operations, min(most, len(operations))):
                one(name, folder, model.operation_model(operation), protocol, rng, moto, answers, botocore)


def one(name, folder, operation, protocol, rng, moto, answers, botocore):
    if has_events(operation.input_shape) or has_events(operation.output_shape): return
    line = {"service": name, "operation": operation.name, "protocol": protocol}
    theirs, line["parameters"] = Giver(rng, False).structure(operation.input_shape, 0) if operation.input_shape else ({}, {})
    wire = botocore.serialize.create_serializer(protocol, include_validation=False).serialize_to_request(theirs, operation)
    line["request"] = request(wire, protocol)
    parser = botocore.parsers.create_parser(protocol)
    if operation.output_shape:
        theirs, given = Giver(rng, True).structure(operation.output_shape, 0)
        answer = answer_of(theirs, folder, operation, protocol, moto, answers, botocore)
        try:
            parsed = answer and parser.parse(answer, operation.output_shape)
            if answer:
                line["result"] = json.loads(json.dumps(shown(operation.output_shape, parsed)))
                line["answer"], line["faithful"] = carried(answer), line["result"] == given
            else: line["unwritten"] = True
        except Exception as error: line["unreadable"] = f"{type(error).__name__}: {error}"  # moto wrote what botocore can't read
    answer = error_of(operation, protocol, rng, botocore)
    parsed = parser.parse(answer, operation.output_shape)
    metadata = parsed["ResponseMetadata"]
    line["failure"] = carried(answer)
    message = parsed["Error"].get("Message")
    if not isinstance(message, str): message = ""  # an element without text
    line["error"] = {"code": parsed["Error"]["Code"], "message": message, "request": metadata.get("RequestId", ""), "host": metadata.get("HostId", "")}
    print(json.dumps(line))


def answer_of(value, folder, operation, protocol, moto, answers, botocore):
    """As a service would write it; nothing where nobody here can."""
    if protocol == CBOR:
        body = bytearray()
        botocore.serialize.RpcV2CBORSerializer()._serialize_data_item(body, value, operation.output_shape)
        return {"status_code": 200, "headers": botocore.compat.HTTPHeaders(), "body": bytes(body)}
    if not moto: return None
    try: answer = moto.get_serializer_class(folder, protocol)(operation_model=answers.operation_model(operation.name)).serialize(value)
    except Exception: return None  # moto's serializer knows not every shape
    body = answer["body"]
    headers = botocore.compat.HTTPHeaders()
    for key, each in answer["headers"].items(): headers[key] = str(each)
    return {"status_code": answer["status_code"], "headers": headers, "body": body.encode() if isinstance(body, str) else body}


def carried(answer):
    return {"status": answer["status_code"], "headers": dict(answer["headers"].items()), "body": base64.b64encode(answer["body"]).decode()}


def shown(shape, value):
    """What botocore parsed, as Step Functions shows it."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False): return value
        return {shown_name(name): shown(shape.members[name], value[name]) for name in shape.members if value.get(name) is not None}
    if kind == "list": return [shown(shape.member, each) if each is not None else None for each in value]
    if kind == "map": return {key: shown(shape.value, each) for key, each in value.items() if each is not None}
    if kind == "timestamp": return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime.datetime) else value
    if kind == "blob":
        if hasattr(value, "read"): value = value.read()
        if isinstance(value, str): return value
        try: return value.decode()
        except UnicodeDecodeError: return base64.b64encode(value).decode()
    return value


def error_of(operation, protocol, rng, botocore):
    """An error that the operation models, or one that it does not, in the ways that services write them."""
    shapes = operation.error_shapes
    shape = rng.choice(shapes) if shapes and rng.random() < .8 else None
    code = (shape.metadata.get("error", {}).get("code") or shape.name) if shape else "SomethingElse"
    message, escaped = rng.choice([("no", "no"), ("a <b> & \"c\" ü", "a &lt;b&gt; &amp; &quot;c&quot; ü"), ("", "")])
    request_id = rng.choice(["1b206dd1-f9a8-11e5-becf-051c60f11c4a", "R1"])
    headers = botocore.compat.HTTPHeaders()
    if protocol in ("json", "rest-json", CBOR): headers["x-amzn-requestid"] = request_id
    fields = {rng.choice(["message", "Message"]): message} if message else {}
    long = rng.choice([code, f"com.amazonaws.x#{code}", f"{code}:http://internal.amazon.com/coral/x/", f"a.b#{code}:http://x/"])
    if protocol == CBOR:
        structure = {"__type": long, **fields}
        body = bytes([0xa0 + len(structure)]) + b"".join(cbor_text(part) for pair in structure.items() for part in pair)
    elif protocol == "json": body = json.dumps({"__type": long, **fields, "Other": [1]}).encode()
    elif protocol == "rest-json":
        if rng.random() < .7: headers["x-amzn-errortype"] = long
        else: fields["code"] = code
        body = json.dumps(fields).encode()
    elif protocol == "ec2": body = f"<?xml version='1.0' encoding='UTF-8'?><Response><Errors><Error><Code>{code}</Code><Message>{escaped}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>".encode()
    elif protocol == "rest-xml" and operation.service_model.service_name == "s3":
        headers["x-amz-request-id"], headers["x-amz-id-2"] = request_id, "h/+="  # S3 writes them twice
        body = f"<Error><Code>{code}</Code><Message>{escaped}</Message><Key>k</Key><RequestId>{request_id}</RequestId><HostId>h/+=</HostId></Error>".encode()
    else: body = f"<ErrorResponse xmlns='https://x/'><Error><Type>Sender</Type><Code>{code}</Code><Message>{escaped}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>".encode()
    return {"status_code": rng.choice([400, 404, 500]), "headers": headers, "body": body}


def cbor_text(text):
    data = text.encode()
    return (bytes([0x60 + len(data)]) if len(data) < 24 else bytes([0x78, len(data)])) + data


def request(wire, protocol):
    body = wire["body"]
    if isinstance(body, dict): body = urllib.parse.urlencode(body)
    if isinstance(body, bytes): body = base64.b64encode(body).decode() if protocol == CBOR else body.decode()
    path, _, fixed = wire["url_path"].partition("?")
    query = urllib.parse.parse_qsl(fixed, keep_blank_values=True)
    more = wire["query_string"]
    for key, value in (more.items() if hasattr(more, "items") else more or []):
        query += [(key, str(v)) for v in value] if isinstance(value, list) else [(key, str(value))]
    return {"method": wire["method"], "path": path, "query": query, "headers": {k: v if isinstance(v, str) else v.decode() if isinstance(v, bytes) else str(v) for k, v in wire["headers"].items()}, "body": body, "protocol": protocol}


def canonical(request):
    body, protocol = request["body"], request["protocol"]
    if protocol == CBOR: body = from_cbor(base64.b64decode(body))
    elif protocol in ("query", "ec2"): body = sorted(urllib.parse.parse_qsl(body, keep_blank_values=True))
    elif body.startswith("<"): body = ET.canonicalize(body)
    else:
        try: body = json.loads(body)
        except ValueError: pass
    headers = {k.lower(): v for k, v in request["headers"].items()}
    for name in ("content-type", "x-amzn-query-mode"): headers.pop(name, None)
    return {"method": request["method"], "path": urllib.parse.unquote(request["path"]), "query": sorted(map(tuple, request["query"])), "headers": headers, "body": body}


def from_cbor(body):
    import botocore.parsers
    if not body: return None
    parser = botocore.parsers.create_parser(CBOR)
    return repr(parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)))


def compare(botocore_folder):
    sys.path.insert(0, botocore_folder)
    for line in sys.stdin:
        line = json.loads(line)
        theirs, ours = canonical(line["theirs"]), canonical(line["ours"])
        for part in theirs:
            if theirs[part] != ours[part]: print(json.dumps({"id": line["id"], "part": part, "theirs": theirs[part], "ours": ours[part]}, ensure_ascii=False)[:900])


BUCKETS = ["bucket", "my.bucket", "Bucket_1", "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine", "arn:aws:s3:us-west-2:123456789012:accesspoint:mine",
           "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/mine", "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/accesspoint/mine", "arn:aws:s3::123456789012:accesspoint/x.mrap", "x--usw2-az1--x-s3", "arn:aws:s3:eu-west-1", "a"]
REGIONS = ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1", "aws-global", "us-west-99"]


def endpoints(botocore_folder, services):
    sys.path.insert(0, botocore_folder)
    import botocore.endpoint_provider, botocore.exceptions
    data = os.path.join(botocore_folder, "botocore", "data")
    partitions = json.load(open(os.path.join(data, "partitions.json")))
    for folder in sorted(f for f in os.listdir(data) if os.path.isdir(os.path.join(data, f))):
        path = os.path.join(data, folder, max(os.listdir(os.path.join(data, folder))))
        rules, model = (json.load(gzip.open(os.path.join(path, name + ".json.gz"))) for name in ("endpoint-rule-set-1", "service-2"))
        if folder == "sms-voice" or services and name_of(model) not in services: continue
        provider = botocore.endpoint_provider.EndpointProvider(rules, partitions)
        choices = [{"Region": region, "UseFIPS": fips, "UseDualStack": dual} for region in REGIONS for fips in (False, True) for dual in (False, True)]
        choices += [{"Region": "eu-west-1", "Endpoint": url, "UseFIPS": False, "UseDualStack": False} for url in ("http://127.0.0.1:5000", "https://aws.example/path")]
        if folder in ("s3", "s3control"):
            extra = [{"Bucket": b} for b in BUCKETS] + [{"Bucket": b, "ForcePathStyle": True} for b in BUCKETS] + [{"Bucket": b, "DisableS3ExpressSessionAuth": True} for b in BUCKETS] + [{"Bucket": "bucket", "Accelerate": True}, {"AccountId": "123456789012", "RequiresAccountId": True}]
            choices = [c | e for c in choices for e in [{}, *extra]]
        for given in choices:
            given = {k: v for k, v in given.items() if k in rules["parameters"]}
            line = {"id": model["metadata"]["serviceId"], "given": given}
            try:
                found = provider.resolve_endpoint(**given)
                line |= {"url": found.url.rstrip("/"), "schemes": found.properties.get("authSchemes", [])}
            except botocore.exceptions.EndpointProviderError as error: line["error"] = str(error)
            print(json.dumps(line))


if __name__ == "__main__":
    if sys.argv[1] == "make": make(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:])
    elif sys.argv[1] == "endpoints": endpoints(sys.argv[2], sys.argv[3:])
    else: compare(sys.argv[2])
