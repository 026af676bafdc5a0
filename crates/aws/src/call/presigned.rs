//! Copies between Regions: the destination fetches from the source by a request that the caller has signed for it.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopySnapshot.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBSnapshot.html>

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use serde_json::Value;

use super::plan::Plan;
use crate::model::{Operation, Service};
use crate::{protocol, sign};

/// How long the destination may use it.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// Whether an operation is given a `SourceRegion` that its model does not know.
pub(crate) fn has_source_region(service: &Service, operation: &Operation) -> bool {
    matches!(service.metadata.service_id.as_str(), "RDS" | "Neptune" | "DocDB")
        && service
            .node(operation.input.as_ref())
            .is_some_and(|input| input.member("PreSignedUrl").is_some() && input.member("SourceRegion").is_none())
}

/// What a call needs signed for its destination.
#[derive(Debug)]
pub(super) struct Presign {
    source_region: String,
    /// The member that takes it: `PresignedUrl`, `PreSignedUrl`.
    member: &'static str,
}

impl Presign {
    /// Of EC2's CopySnapshot always, of what RDS, Neptune and DocumentDB copy if there is a `SourceRegion`, which their models don't
    /// know: it is taken out of the parameters.
    pub fn of(service: &Service, name: &str, operation: &Operation, parameters: &mut Value) -> Option<Presign> {
        let given = |parameters: &Value, name: &str| parameters.get(name).is_some_and(|value| !value.is_null());
        match service.metadata.service_id.as_str() {
            "EC2" if name == "CopySnapshot" && !given(parameters, "PresignedUrl") => {
                let source_region = parameters.get("SourceRegion")?.as_str()?.to_owned();
                Some(Presign { source_region, member: "PresignedUrl" })
            }
            _ if has_source_region(service, operation) => {
                let source = parameters.as_object_mut()?.shift_remove("SourceRegion")?;
                if given(parameters, "PreSignedUrl") {
                    return None;
                }
                Some(Presign { source_region: source.as_str()?.to_owned(), member: "PreSignedUrl" })
            }
            _ => None,
        }
    }

    /// The form with what is asked for.
    pub fn form(&self, plan: &Plan, credentials: &Credentials, now: SystemTime) -> Result<Vec<u8>, String> {
        let form = String::from_utf8_lossy(&plan.request.body);
        let to = format!("DestinationRegion={}", protocol::escape(&plan.region));
        let endpoint = plan.endpoint.url.replace(&plan.region, &self.source_region);
        let asked = format!("{endpoint}/?{form}&{to}");
        let scope = sign::Scope {
            name: plan.service.signing_name(),
            region: &self.source_region,
            region_set: None,
            s3: false,
            unsigned_body: false,
        };
        let url = sign::presign(&asked, credentials, scope, now, GOOD_FOR)?;
        let ec2 = if self.member == "PresignedUrl" { format!("&{to}") } else { String::new() };
        Ok(format!("{form}{ec2}&{}={}", self.member, protocol::escape(&url)).into_bytes())
    }
}
