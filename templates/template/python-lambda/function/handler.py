def handle(event, context):
    """A request: event has body (bytes), headers, method, query and path."""
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": {"body": event.body.decode()},
    }


def handle_event(event, context):
    """An event of one of Lambda's triggers, such as a batch of SQS. Delete it if
    the function has none."""
    for record in event["Records"]:
        print(record["messageId"], record["body"], flush=True)
    return {"batchItemFailures": []}
