//! What goes over the wire between a compiled guardrail and the built-in functions.
//!
//! A machine calls them with `arn:aws:states:::lambda:invoke` (`ask` with `.waitForTaskToken`), `FunctionName`
//! `${function.NAME}`. An answer is `$states.result.Payload`; that of `ask` is the bare output of `SendTaskSuccess`. Every payload
//! is a JSON object with PascalCase keys.
//!
//! **Every** payload holds who calls:
//! - `FindingId`: the finding's id;
//! - `Execution`: the execution's ARN, the caller of the call's key;
//! - `State`: the state's name, and `Round`: how often this response has come round to its beginning (an integer from 1). The
//!   key of the call is `State` and `Round` together: a retry of the state repeats the key, another entry of it does not.
//!
//! A repeated call changes nothing and gets the same answer. The one exception is `asked`: its token differs from attempt to
//! attempt, so its key has to hold (a hash of) the token as well, and the finding itself says that the question was asked already.
//!
//! # `finding`
//! `{Action, …}` as [`FindingInput`](super::FindingInput) has it; each action's answer is told there. An input that the finding can't take is an
//! error (`IllegalFindingInput`); it is not worth a retry. A store that can't now is `StoreUnavailable`, which every call of a function retries.
//!
//! | Action | payload beside the caller | answer |
//! |---|---|---|
//! | `inspecting` | | `{Generation}` |
//! | `record` | `Compliance, Reason` | `{Occurrence, Actor}` |
//! | `decide` | `Owner` | `{Decision, Why, Tell, DeadlineSeconds}` |
//! | `told` | `Kind, Results` | `{}` |
//! | `answered` | `Approved, Person, Reason` | `{Approved}` |
//! | `keep_before` | `Before` | `{Before}` |
//! | `fixing` | | `{}` |
//! | `close` | `Generation, Compliance, Reason` | `{Closed, InspectAgain, Tell}` |
//! | `leave` (of a rule's match) | | `{}` |
//! | `failed` | `Error, Cause, At` | `{}` |
//! | `undoing` | | `{Wait, Before}` |
//! | `undone` | `Until, Gone` | `{Until, More}` |
//!
//! Not said by machines: `asked`, and `told` of the kind `question` (by the function `ask`), `undo_asked`, `resolve`, `suppress`, `excepted` (by a person), `execution_failed` (by the engine).
//!
//! # `owner`
//! Payload: `{Resource: {Id, Arn?, Type, Account, Region}, Actor, RoleArn?}`, `Actor` being CloudTrail's `userIdentity` or null, `RoleArn` the role
//! by which the account is reached, where it is reached by one.
//! It fetches the resource's tags and asks [`owner::candidates`](crate::owner::candidates).
//! Answer: `{Owners: [{Name?, Email?, From, Confidence}]}`, the likeliest first. A resource without tags is no error; tags that can't be read are.
//!
//! # `tell`
//! Payload: `{Kind, Text, Owner, …}`. `Text` is one sentence for people; `Owner` the list of candidates (may be empty).
//!
//! | Kind | when | more keys |
//! |---|---|---|
//! | `noticed` | something is non-compliant | `Decision, Why, Reason` |
//! | `denied` | a person said no, or nobody answered in time | `Person, Reason` |
//! | `fixed` | fixed and proved | `Before` |
//! | `resolved` | somebody was told, and it is gone without a fix | |
//! | `not_fixed` | the fix was done, and it is still non-compliant: escalate | |
//! | `unsettled` | it changes faster than it can be inspected: escalate | |
//! | `failed` | something failed: escalate | `Error, Cause, At` |
//! | `undone` | the fix was taken back, or there was nothing to take back, since the resource is gone | `Until` (null if it is gone), `Reason` |
//!
//! Answer: `{Results: [{Channel, Ok, Error?}]}`, an empty list where no channel is configured. It fails only if every configured channel failed.
//!
//! # `ask`
//! Payload: `{TaskToken, DeadlineSeconds, Text, Why, Reason, Owner}`. It applies `asked` (payload `{TaskToken, DeadlineSeconds}`), and sends the question unless the answer says
//! `AlreadyAsked`. Whoever answers calls `SendTaskSuccess` with `{Approved: bool, Person: string, Reason?: string}` and the token of
//! [`Finding::question`](super::Finding::question). The Task times out after `DeadlineSeconds` with `States.Timeout`.
//!
//! # The machine itself
//! Input: `{Action: respond | inspect | list | undo, FindingId?, Resource: {Id, Arn?, Type, Account, Region}, NextToken?, Until?}`.
//! Output: of `respond` and `undo` `{Outcome}`, of `inspect` `{Compliance, Reason, Before}`, of `list` `{ResourceIds, NextToken?}`.
