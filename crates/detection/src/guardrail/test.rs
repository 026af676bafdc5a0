//! The tests of a guardrail, as its file holds them.
//!
//! ```yaml
//! tests:
//!   - name: ssh from everywhere is shut        # unique in its file
//!     parameters: {allowed_ports: [443]}       # the guardrail's, for this test; those not named have their defaults
//!     arrange:                                 # AWS calls, in order, in an emulated account
//!       - {service: ec2, action: createSecurityGroup, parameters: {GroupName: "{% 'g-' & $run %}", Description: d}, as: group}
//!       - {service: ec2, action: authorizeSecurityGroupIngress, parameters: {GroupId: "{% $group.GroupId %}", …}}
//!     event: {source: aws.ec2, detail-type: …, detail: {…}}     # as AWS sends it
//!     expect: NON_COMPLIANT                    # what the first inspection says; NON_COMPLIANT unless said
//!     observe:                                 # what the account looks like from outside: reads
//!       - {service: ec2, action: describeSecurityGroupRules, parameters: {…}, select: "{% … %}", fixed: […]}
//!     cleanup:                                 # AWS calls afterwards, also after a failure: the account as it was before
//!       - {service: ec2, action: deleteSecurityGroup, parameters: {GroupId: "{% $group.GroupId %}"}}
//! ```
//!
//! - `service`, `action` and `parameters` are those of `arn:aws:states:::aws-sdk:SERVICE:ACTION`, in Step Functions' spelling.
//! - `as` names a call's answer: from then on it is the variable `$NAME` in every `{% … %}` (JSONata) of the test: in `parameters` of
//!   later calls, in `event`, in `observe`. Beside these there are `$account` and `$region`, `$run` (twelve lower-case letters and digits,
//!   others for every run of a test: a name made with it is not taken by a run that was interrupted), and, in `observe` and `cleanup`,
//!   `$resource`: the id that the guardrail found in the event.
//! - Of the event's envelope `version, id, account, region, time` and `resources` are filled in where they are missing, of its detail
//!   `eventVersion, eventID, eventTime, awsRegion, recipientAccountId` and `userIdentity`. The guardrail's pattern must match it, and it must name exactly one resource.
//! - `select` sees the call's answer as `$answer`, or `{Error, Cause}` if the call failed, and must give a value.
//! - `fixed` is what `select` gives after the fix: a value, or the text `unchanged`; nothing is asked of it where it is missing.
//!
//! The tests of a file are run one after another. What a test goes through:
//! 1. arrange; inspect says `expect`. If that is not `NON_COMPLIANT`, the test is over.
//! 2. observe; fix; inspect says `COMPLIANT`; observe: what `fixed` says.
//! 3. fix again: observed and inspected the same as before it.
//! 4. undo: observed the same as before the fix, and inspected as `expect` again, with the same `Before` but for ids that AWS gives anew.
//! 5. undo again: observed the same.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Compliance;

/// A test of a guardrail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// `name`.
    pub name: String,
    /// `parameters` that are set.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// `arrange`: AWS calls that make the misconfiguration.
    #[serde(default)]
    pub arrange: Vec<TestCall>,
    /// `event`: the event as AWS sends it, with expressions.
    pub event: Value,
    /// `expect`: what the first inspection says.
    #[serde(default = "non_compliant")]
    pub expect: Compliance,
    /// `observe`: reads that show the account from outside.
    #[serde(default)]
    pub observe: Vec<Observation>,
    /// `cleanup`: AWS calls afterwards.
    #[serde(default)]
    pub cleanup: Vec<TestCall>,
}

/// An AWS call of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestCall {
    /// The service, as in `aws-sdk:SERVICE:ACTION`.
    pub service: String,
    /// The action, its first letter lower case.
    pub action: String,
    /// Its parameters, with expressions.
    #[serde(default)]
    pub parameters: Value,
    /// `as`: the variable that holds its answer.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A read of a test, and what of its answer counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// The service, as in `aws-sdk:SERVICE:ACTION`.
    pub service: String,
    /// The action, its first letter lower case.
    pub action: String,
    /// Its parameters, with expressions.
    #[serde(default)]
    pub parameters: Value,
    /// `{% … %}` over `$answer`.
    pub select: String,
    /// What it gives after the fix: a value, `unchanged`, or nothing is asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Value>,
}

fn non_compliant() -> Compliance {
    Compliance::NonCompliant
}
