"""A Lambda function: tells the owner of a resource by its tags.

The same file runs as a local process of Rectify and, with the handler `function.handler`, on AWS."""


class NoOwner(Exception):
    """Nobody is named."""


def handler(event, context):
    tags = event.get("Tags", {})
    print("looking at", sorted(tags))
    if "owner" not in tags:
        raise NoOwner("the tags name no owner")
    return {"Owner": tags["owner"], "RequestId": context.aws_request_id}
