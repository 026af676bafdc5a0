//! `rectify-owner`: who may own a resource, by its tags and by who made the call.

use async_trait::async_trait;
use aws::Aws;
use detection::owner::candidates;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Function, FunctionError, parse,
    tags::{self, Resource},
};

/// The function. Payload: `{Resource: {Id, Arn?, Type, Account, Region}, Actor, RoleArn?}`, the role being one to read the tags
/// with. Answer: `{Owners: […]}`, candidates with the likeliest first. Tags that can't be read are an error, `TagsNotReadable`.
pub struct Owner {
    aws: Aws,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Payload {
    resource: Named,
    #[serde(default)]
    actor: Option<Value>,
    #[serde(default)]
    role_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    id: String,
    #[serde(default)]
    arn: Option<String>,
    r#type: String,
    region: String,
}

impl Owner {
    pub(crate) fn new(aws: Aws) -> Owner {
        Owner { aws }
    }
}

#[async_trait]
impl Function for Owner {
    fn name(&self) -> &'static str {
        "owner"
    }

    async fn invoke(&self, payload: Value) -> Result<Value, FunctionError> {
        let Payload { resource: Named { id, arn, r#type, region }, actor, role_arn } = parse(&payload)?;
        let resource = Resource { kind: r#type, id, arn, region, role_arn };
        let tags =
            tags::read(&self.aws, &resource).await.map_err(|reason| FunctionError::new("TagsNotReadable", reason))?;
        Ok(json!({"Owners": candidates(&tags, actor.as_ref())}))
    }
}
