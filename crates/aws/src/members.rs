//! The parameters of an operation, for those who check them before it is called.

use crate::{Aws, model, names};

/// A parameter of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As `aws-sdk` tasks name it: `DbInstanceIdentifier`.
    pub name: String,
    /// As the API names it: `DBInstanceIdentifier`. It is understood too.
    pub api_name: String,
    /// Whether the API wants it.
    pub required: bool,
}

impl Aws {
    /// The parameters of an operation; `None` where there is no such operation.
    pub fn members(service: &str, action: &str) -> Option<Vec<Member>> {
        let service = model::service(service)?;
        let (_, operation) = service.operation(action)?;
        let Some(input) = service.node(operation.input.as_ref()) else { return Some(Vec::new()) };
        let member = |name: &str| Member {
            name: names::member_name(name),
            api_name: name.to_owned(),
            required: input.shape.required.iter().any(|required| required == name),
        };
        Some(input.members().map(|(name, _)| member(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_of_an_operation() {
        let members = Aws::members("s3", "putBucketAcl").expect("an operation");
        let named = |name: &str| members.iter().find(|member| member.name == name).expect(name);
        assert!(named("Bucket").required);
        assert_eq!((named("Acl").api_name.as_str(), named("Acl").required), ("ACL", false));
        assert_eq!(Aws::members("s3", "putBucketAc"), None);
        assert_eq!(Aws::members("sts", "getCallerIdentity"), Some(Vec::new()));
    }
}
