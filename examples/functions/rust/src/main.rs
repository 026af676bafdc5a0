//! A Lambda function: says whether a bucket's name is one of ours.
//!
//! The same program runs as a local process of Rectify and, as `bootstrap` with the runtime `provided.al2023`, on AWS.
#![expect(clippy::print_stdout, reason = "what a function prints is its log")]

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

async fn inspect(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload.get("Bucket").and_then(Value::as_str).ok_or("the payload names no Bucket")?;
    println!("looking at {name}");
    Ok(json!({"Bucket": name, "Ours": name.starts_with("acme-"), "RequestId": event.context.request_id}))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(inspect)).await
}
