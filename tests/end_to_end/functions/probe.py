"""A function for tests: it does what its event says."""

import os
import time


class Refused(Exception):
    """What it was told to raise."""


def handler(event, context):
    what = event.get("do")
    print("doing", what)
    if what == "raise":
        raise Refused("told so")
    if what == "exit":
        os._exit(3)
    if what == "sleep":
        time.sleep(1000)
    if what == "pid":
        return {"pid": os.getpid()}
    if what == "meet":
        # Comes back once as many are here as are expected: so many work at once.
        os.makedirs(event["folder"], exist_ok=True)
        open(os.path.join(event["folder"], str(os.getpid())), "w").close()
        while len(os.listdir(event["folder"])) < event["count"]:
            time.sleep(0.01)
        return os.getpid()
    if what == "token":
        return {"token": event["token"]}
    return {"event": event, "arn": context.invoked_function_arn, "left": context.get_remaining_time_in_millis() > 0}
