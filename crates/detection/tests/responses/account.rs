//! An account with one bucket and one security group.

use serde_json::{Value, json};

/// An answer, or an error's name and cause.
pub type Answer = Result<Value, (String, String)>;

/// What the account holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    flags: Option<Value>,
    public: bool,
    rules: Vec<Value>,
    /// Somebody deleted both.
    pub gone: bool,
    next_rule: u64,
}

impl Account {
    /// A bucket open by its ACL, without flags; a group with open and private rules.
    pub fn open() -> Account {
        let mut account = Account { flags: None, public: true, rules: Vec::new(), gone: false, next_rule: 1 };
        let tags = json!([{"Key": "Owner", "Value": "ann"}]);
        account.rule(json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0", "Description": "oops", "Tags": tags}));
        account.rule(json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "10.0.0.0/8", "Description": "vpn", "Tags": []}));
        account.rule(json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv6": "::/0", "Tags": []}));
        account.rule(json!({"IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv4": "0.0.0.0/0", "Tags": []}));
        account.rule(json!({"IpProtocol": "udp", "FromPort": 400, "ToPort": 500, "CidrIpv4": "0.0.0.0/0", "Tags": []}));
        account.rule(json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "0.0.0.0/0", "Tags": []}));
        account
    }

    /// The same with nothing open.
    pub fn shut() -> Account {
        let mut account = Account::open();
        account.public = false;
        account.rules.retain(|rule| rule["CidrIpv4"] == "10.0.0.0/8" || rule["FromPort"] == 443);
        account
    }

    /// Somebody opens both again, the group to a port that is new to it.
    pub fn reopen(&mut self) {
        self.flags = None;
        let port = 3000 + self.next_rule;
        self.rule(json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIpv4": "0.0.0.0/0", "Tags": []}));
    }

    fn rule(&mut self, mut rule: Value) {
        rule["SecurityGroupRuleId"] = json!(format!("sgr-{}", self.next_rule));
        rule["IsEgress"] = json!(false);
        self.next_rule += 1;
        self.rules.push(rule);
    }

    pub fn is_bucket_shut(&self) -> bool {
        self.flags.as_ref().is_some_and(|flags| flags.as_object().unwrap().values().all(|flag| flag == true))
    }

    pub fn is_group_shut(&self) -> bool {
        let open = |rule: &&Value| rule["CidrIpv4"] == "0.0.0.0/0" || rule["CidrIpv6"] == "::/0";
        self.rules.iter().filter(open).all(|rule| rule["FromPort"] == 443 && rule["ToPort"] == 443)
    }

    /// Rules that are nobody's concern, as they are, ids and all.
    pub fn private_rules(&self) -> Vec<Value> {
        self.rules.iter().filter(|rule| rule["CidrIpv4"] == "10.0.0.0/8").cloned().collect()
    }

    /// All of it, but for the ids that AWS gives anew.
    pub fn without_ids(&self) -> Value {
        let mut rules: Vec<String> = self
            .rules
            .iter()
            .map(|rule| {
                let mut rule = rule.clone();
                rule.as_object_mut().unwrap().remove("SecurityGroupRuleId");
                rule.as_object_mut().unwrap().sort_keys();
                rule.to_string()
            })
            .collect();
        rules.sort();
        json!({"flags": self.flags, "public": self.public, "rules": rules})
    }

    /// An `aws-sdk` call.
    pub fn call(&mut self, action: &str, arguments: &Value) -> Answer {
        let s3 = |cause: &str| Err(("S3.S3Exception".to_owned(), format!("{cause} (Service: S3, Status Code: 404)")));
        match action {
            _ if self.gone && action.starts_with("s3:") => s3("The specified bucket does not exist"),
            "ec2:describeSecurityGroupRules" if self.gone => Ok(json!({"SecurityGroupRules": []})),
            _ if self.gone && action.starts_with("ec2:") => Err((
                "Ec2.Ec2Exception".to_owned(),
                "The security group 'sg-1' does not exist (Service: Ec2, Status Code: 400)".to_owned(),
            )),
            "s3control:getPublicAccessBlock" => Err((
                "S3Control.NoSuchPublicAccessBlockConfigurationException".to_owned(),
                "The public access block configuration was not found".to_owned(),
            )),
            "s3:getPublicAccessBlock" => match &self.flags {
                Some(flags) => Ok(json!({"PublicAccessBlockConfiguration": flags})),
                None => s3("The public access block configuration was not found"),
            },
            "s3:getBucketPolicyStatus" => s3("The bucket policy does not exist"),
            "s3:getBucketAcl" => {
                let owner = json!({"Grantee": {"ID": "o", "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"});
                let all = json!({"Grantee": {"URI": "http://acs.amazonaws.com/groups/global/AllUsers", "Type": "Group"}, "Permission": "READ"});
                Ok(json!({"Grants": if self.public { vec![owner, all] } else { vec![owner] }}))
            }
            "s3:putPublicAccessBlock" => {
                self.flags = Some(arguments["PublicAccessBlockConfiguration"].clone());
                Ok(json!({}))
            }
            "s3:deletePublicAccessBlock" => {
                self.flags = None;
                Ok(json!({}))
            }
            "s3:listBuckets" => Ok(match arguments.get("ContinuationToken") {
                None => json!({"Buckets": [{"Name": "one"}], "ContinuationToken": "2"}),
                Some(_) => json!({"Buckets": [{"Name": "two"}]}),
            }),
            "ec2:describeSecurityGroups" if arguments.get("GroupIds").is_some() => {
                Ok(json!({"SecurityGroups": [{"GroupId": "sg-1"}]}))
            }
            "ec2:describeSecurityGroups" => Ok(match arguments.get("NextToken") {
                None => json!({"SecurityGroups": [{"GroupId": "one"}], "NextToken": "2"}),
                Some(_) => json!({"SecurityGroups": [{"GroupId": "two"}]}),
            }),
            // Two rules a page.
            "ec2:describeSecurityGroupRules" => {
                let from: usize =
                    arguments.get("NextToken").map_or(0, |token| token.as_str().unwrap().parse().unwrap());
                let page: Vec<Value> = self.rules.iter().skip(from).take(2).cloned().collect();
                let next = from + 2;
                Ok(if next < self.rules.len() {
                    json!({"SecurityGroupRules": page, "NextToken": next.to_string()})
                } else {
                    json!({"SecurityGroupRules": page})
                })
            }
            "ec2:revokeSecurityGroupIngress" => {
                let ids = arguments["SecurityGroupRuleIds"].as_array().expect("a list, of one too");
                if let Some(missing) =
                    ids.iter().find(|id| !self.rules.iter().any(|rule| rule["SecurityGroupRuleId"] == **id))
                {
                    return Err((
                        "Ec2.Ec2Exception".to_owned(),
                        format!("The security group rule ID {missing} does not exist"),
                    ));
                }
                self.rules.retain(|rule| !ids.contains(&rule["SecurityGroupRuleId"]));
                Ok(json!({"Return": true}))
            }
            "ec2:authorizeSecurityGroupIngress" => self.authorize(arguments),
            other => panic!("the account knows no {other}"),
        }
    }

    fn authorize(&mut self, arguments: &Value) -> Answer {
        let permission = &arguments["IpPermissions"][0];
        let mut rule = json!({
            "IpProtocol": permission["IpProtocol"],
            "FromPort": permission.get("FromPort").unwrap_or(&json!(-1)),
            "ToPort": permission.get("ToPort").unwrap_or(&json!(-1)),
            "Tags": arguments.pointer("/TagSpecifications/0/Tags").unwrap_or(&json!([])),
        });
        for (ranges, from, to) in [("IpRanges", "CidrIp", "CidrIpv4"), ("Ipv6Ranges", "CidrIpv6", "CidrIpv6")] {
            if let Some(range) = permission.pointer(&format!("/{ranges}/0")) {
                rule[to] = range[from].clone();
                if let Some(description) = range.get("Description") {
                    rule["Description"] = description.clone();
                }
            }
        }
        let same = |other: &Value| {
            ["IpProtocol", "FromPort", "ToPort", "CidrIpv4", "CidrIpv6"]
                .iter()
                .all(|key| other.get(*key) == rule.get(*key))
        };
        if self.rules.iter().any(same) {
            return Err(("Ec2.Ec2Exception".to_owned(), "the specified rule already exists".to_owned()));
        }
        self.rule(rule);
        Ok(json!({"Return": true}))
    }
}
