use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use aws::{Aws, Options};
use serde_json::{Value, json};

use super::*;

/// A certificate of our own, valid in 2019; what is signed below was signed once with its key, which is gone. What is signed is what
/// AWS's guide shows as the text to sign.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIICsTCCAZmgAwIBAgIBATANBgkqhkiG9w0BAQsFADAcMRowGAYDVQQDDBFzbnMu
YW1hem9uYXdzLmNvbTAeFw0xOTAxMDEwMDAwMDBaFw0yMDAxMDEwMDAwMDBaMBwx
GjAYBgNVBAMMEXNucy5hbWF6b25hd3MuY29tMIIBIjANBgkqhkiG9w0BAQEFAAOC
AQ8AMIIBCgKCAQEAus/LjNg2NL1YVi33284z15N9Iqp/a76k1lxC258Uje4SPDaI
DABmw9GsBszt8y0XE9bQs2+Rlc1Zf9NrOlHL8/dto9NU+y53oelYThj4fD+4kcak
yKAzCio6XFF2rBiBYo+a8VnylboO0TuFRiZiqRLqSeDC7byUSMgIqb2j67QQLE4n
OYufG3oAsLYhkUVU2JN5/EHF64jmW7VKxB/Ecvz1W4+/++9CElrRUepjA6EqodGt
MS05bW0PU77PC+GnT3hfrKOOI5dex6n0fltq8ryQTSr1b2834Ta19NOrpiHACfnj
5F6BaTDBq2dLYfxv2P0FEWLteKEPcVHCJ/E9iQIDAQABMA0GCSqGSIb3DQEBCwUA
A4IBAQBRVbfuf/98z4khL4PgczpsBGIIRv6cqnkoRlyyYyNpynwUEHOMscxtEHs7
myplRo2dGo7hA1NfKyhAaOi4f4tENHLJ+JiyzNwebN2UhejiDIzCPvQZvt6Ctrm9
5+Gdlov/+ig2+dEtSb+kreIc6M6NM2vdgPKMLmWi/xljbGnFEj/E62e7emtgYkrJ
vCVgoGuU/Tmt+mivVJlVbY5lkfrjQOSnPpcGSEfJBVHRFXlc6otgagwuomq1iPFt
7mjP7ecy7CGMeDxSPP1bwFigCbynem7AxeMsdN5sk4HPJNhywakjhpARbYNdfQ8H
l85s4tBiB7p3MTbH89R096oCBdts
-----END CERTIFICATE-----
";
const WITH_SUBJECT_1: &str = "SZhKPcWN9vDnDBjEJRH9HE8QZD5rbzAhyprbJF5tgV/qmdYmDoj7NIQJcUK2yQvRvQzctXdri0JrIkmoPRmYCu1+3Rc/nwGLen/FnuR0UZKNnj3ohdTMVoQq5YgRvLmvYXfUXaZFp1vdjF3YQHZVM4txEtKUsYHqqDDUC/OCW87IGi3JvCT7A0MtWO1nvzWTQsZ8N+Tj5MMGQ+LROrbsrsOr9lsGeicD6J/Fnd1YO7v5lzHCX29i+gbQ1SxD7uWyliUNUacr7rFEBtkX3jsCHQoTXZh5DnlkMP46HGVMd8oNlSDBOalZfZBoM51c1OCfOpwKs+8So1W/llXhgTJwVg==";
const WITH_SUBJECT_2: &str = "l4mm7xxD/OrNt9WOoP0qgW5BgLeQLVL4oZFY70u/wCO2hV4sffAakCOMQ4mrxuI5sptS1wwCLhk+jU89jZ+DGPPSLkVDk1UmB3mDtWi+2W9Mud0hRdM4tcTor5L/xXzTTwI9qXgw4mcIqJX0q5c1tUoqh+KlEixD8uMsWhLQyP3DuSuCtFmjV2O4AhyayQZKQPUTtfv7FIoEXsV9aDFqx7XI+4I35R3x+krXv7kJFo8J0pG+ezK93nrr8oZCEbzdPqlo+5Y7jyh14mvbKpoUci3lCowgPrXvGgUhFGFEf9/BUbz6i8BmkzVbvmys3TY+EzNyv1fMfQyZ4HQ9nKwybQ==";
const WITHOUT_SUBJECT_2: &str = "Z51Xa+oQD6TeIjCjkMpUvse0tMy18fui5JgFDLScFanZYYhAPfLi8NJOUVxHCVMIO/iSyhckj2BSYAJOBulAEFf91Uu7U3E2XmZKZACW7WpP2DnsUWG7MCf8auEVDVL9VnGLIgoRhSFOWEk7mvcVUHWJOFMuPhD7R4xfXEx+kobx5HM9PAmk/8Ag7s1ym+JkOtBN7k5Yhw/8CjAiUoHkCnWRPcw8BpKQ7w8UsaCjzDNh40iOVvMUejLL2rqEvHFx3iKuH2dfwrtyH5KtYWu+EZXwNkUiD6HY2pmpm1v2UxiU/oNOzfsI/gWIgnO4lhcfxnCZ1Mz6rtCLnGj11fdzBg==";
const CONFIRMATION_1: &str = "ZU7LgDxMWpe9CyjWjw/QGGN1zYe1lEkSNLNBzfPLrX5Xd7ZX0WCZIpYWFz1VhMfSs8pP4BUeJJhtuWN3xIrEt+RJoqcjQhM8u0yq+OdhIWWnGxHT1co8zv/i8a3FYNoahfBZ7MzTnlIa0VXIRoNbx8Uvsm+j+Jqzxq9ydX+MrFng2hVYA9L6v4VkpPW8zjI4PyMgGhwOxl4t+XwpW3NjjUakxTyR/V5npjjXB3oFtBSALGZx+FdKhlb+Gd8J1FR/MTTKX3OTdz2f4XrUUVybPlUqYIjYmXUnezFsuR8IXllWb2bTmrAktGa13uIRQBlMenKMTyBKZBZgbcUa9B03zA==";
const CONFIRMATION_2: &str = "KilG0UQU26M9uzgyiX/JCZQsqCY9kRY58PXY+eeugNa4v8QBbhEgmn98qUMqlRMUp9w9GNSiW5D1+OVOxEYvVymw6atNafYR6kgyKmirqrqUcMKPXMLEWMyyk9fXQ600YhTBEBcWMxQtb8ML3/jsZc0jcDeIonwOwETfof9m3aoRl34+Nko1t2z3qlY9+gwNfgiJabLhyUmg4bvRe+EIJsK6yTx8HPEbsOUEY1tScRbTOlsXRdZ32FdgET5Trs3zDAsO0IU0aEfFUjfotLr9zcnVt2tc6hTpDy/uWOMafE/MQjI14lT8n5X+nt9woMXDMP3Q2s48UpcVAMTXoI5GRQ==";
const UNSUBSCRIBED_2: &str = "ZpA2XTePia1Cxc9dLiGST6p6OIMBMB5/X0qv0H2OyzG7ScHN5T9rCyAKsH5hSEUeDkCxs5mIlYEIFXDVsZBVSc15urU7Vnd7dkPW5I9mT4qmlVs0/8DPm7WQC/CgCRDEtMQOYg17ZezQjRTjvgimXIx5z/mElI4CV/kANvg8HESOI6CSM3pbHwM4CI3qet4Zu4fepAldxElihxp/wnkVohBGWoZ+Xm3GwmE/sqiA7qszZZ2gxbSTKbeupB5dduJz40a85Z7aybqd2m/N9a54E6LvoqAmlq2ltruXtCde6vH9/xMkJ+cylrNF7BSPLQ8JZvYm7vfO2hQ4btdMScpRVA==";
const ELSEWHERE_2: &str = "hhpeU8CZcJSayOpX8MADW/hEmq/Lb3DHdHH0cuydmem1gMSNnZ/E6s0PwBL75MmR7VIyhwG+B8htnh7vUollP+942Ji+arSrLbIeJjV5qUoh4QIwA7LrDErk3xN8mk0guD302Z8mSB/UNw5viS5ZMZIRNjYzC1Q7yE31By0DkJseP9L5oQuXtw5lpFeUawpmZQK6U+oHkk2e8gDg2X6y7T8g2ulOVhJAKgWVHRMH2PYHw26BxKtFXKEVKWxoh8D8YDw4kTPTB1MIfykv2zwzP0c/eZc3iIS0Qkb0kHHGPP8tYthAcGv+VIacPhfB0dEDKNzeZO6FoDZHUq13lUZDlA==";
const CERTIFICATE_URL: &str = "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-1.pem";
const CERTIFICATE_PATH: &str = "/SimpleNotificationService-1.pem";
const SUBSCRIBE_PATH: &str =
    "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P&Token=233...";
const TOPIC: &str = "arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P";
const NOW: &str = "2019-01-31T20:00:00Z";

/// SNS, as `AWS_ENDPOINT_URL_SNS` names it: answers with the certificate, and keeps the paths that it was asked for.
struct Sns {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Sns {
    fn start(status: &'static str) -> Sns {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sns = Sns { url: format!("http://{}", listener.local_addr().unwrap()), asked: Arc::default() };
        let asked = sns.asked.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let first = lines.next().unwrap();
                lines.find(String::is_empty).unwrap();
                asked.lock().unwrap().push(first.split(' ').nth(1).unwrap().to_owned());
                let length = CERTIFICATE.len();
                let answer =
                    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{CERTIFICATE}");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        sns
    }

    fn topics(&self) -> Topics {
        let mut options = Options::fixed("us-east-1", "", "");
        options.endpoint_urls.insert("SNS".to_owned(), self.url.clone());
        Topics::new([TOPIC.to_owned()], SnsClient::new(&Aws::new(options)))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn notification(version: &str, signature: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": "4d4dc071-ddbf-465d-bba8-08f81c89da64", "TopicArn": TOPIC,
        "Subject": "My subject", "Message": "My Test Message", "Timestamp": "2019-01-31T04:37:04.321Z",
        "SignatureVersion": version, "Signature": signature, "SigningCertURL": CERTIFICATE_URL,
        "UnsubscribeURL": "https://sns.us-east-2.amazonaws.com/?Action=Unsubscribe"
    })
}

fn confirmation(version: &str, signature: &str) -> Value {
    json!({
        "Type": "SubscriptionConfirmation", "MessageId": "3d891288-136d-417f-bc05-901c108273ee", "Token": "233...",
        "TopicArn": TOPIC, "Message": "My Test Message", "Timestamp": "2019-01-31T19:25:13.719Z",
        "SubscribeURL": format!("https://sns.us-east-2.amazonaws.com{SUBSCRIBE_PATH}"),
        "SignatureVersion": version, "Signature": signature, "SigningCertURL": CERTIFICATE_URL
    })
}

fn with(mut message: Value, field: &str, value: &str) -> Value {
    message[field] = json!(value);
    message
}

fn without(mut message: Value, field: &str) -> Value {
    message.as_object_mut().unwrap().shift_remove(field).unwrap();
    message
}

async fn take_at(topics: &Topics, message: &Value, now: &str) -> Result<Genuine, NotSns> {
    let taken = topics.take(message.to_string().as_bytes(), now.parse().unwrap()).await;
    taken.map(|(genuine, topic)| {
        assert_eq!(topic, TOPIC);
        genuine
    })
}

async fn take(topics: &Topics, message: &Value) -> Result<Genuine, NotSns> {
    take_at(topics, message, NOW).await
}

/// Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>
#[test]
fn the_text_to_sign_is_the_one_of_aws_s_guide() {
    let check = |message: Value, expected: &str| {
        assert_eq!(SignedMessage::read(message.to_string().as_bytes()).unwrap().signed_text(), expected);
    };
    check(
        notification("1", ""),
        "Message\nMy Test Message\nMessageId\n4d4dc071-ddbf-465d-bba8-08f81c89da64\nSubject\nMy subject\nTimestamp\n2019-01-31T04:37:04.321Z\nTopicArn\narn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P\nType\nNotification\n",
    );
    check(
        confirmation("1", ""),
        "Message\nMy Test Message\nMessageId\n3d891288-136d-417f-bc05-901c108273ee\nSubscribeURL\nhttps://sns.us-east-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P&Token=233...\nTimestamp\n2019-01-31T19:25:13.719Z\nToken\n233...\nTopicArn\narn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P\nType\nSubscriptionConfirmation\n",
    );
}

#[tokio::test]
async fn genuine_messages_of_both_versions() {
    let sns = Sns::start("200 OK");
    let topics = sns.topics();
    for message in [
        notification("1", WITH_SUBJECT_1),
        notification("2", WITH_SUBJECT_2),
        without(notification("2", WITHOUT_SUBJECT_2), "Subject"),
    ] {
        assert_eq!(take(&topics, &message).await, Ok(Genuine::Notification), "{message}");
    }
    let unsubscribed = with(confirmation("2", UNSUBSCRIBED_2), "Type", "UnsubscribeConfirmation");
    assert_eq!(take(&topics, &unsubscribed).await, Ok(Genuine::Unsubscribed));
    assert_eq!(sns.asked(), [CERTIFICATE_PATH], "the certificate is fetched once, and nothing is subscribed to again");
    for message in [confirmation("1", CONFIRMATION_1), confirmation("2", CONFIRMATION_2)] {
        assert_eq!(take(&topics, &message).await, Ok(Genuine::Confirmed), "{message}");
    }
    assert_eq!(sns.asked(), [CERTIFICATE_PATH, SUBSCRIBE_PATH, SUBSCRIBE_PATH]);
}

#[tokio::test]
async fn what_is_not_sns_own_is_denied_and_nothing_is_fetched_for_it() {
    let sns = Sns::start("200 OK");
    let topics = sns.topics();
    let genuine = || notification("2", WITH_SUBJECT_2);
    let mut messages = vec![
        (with(genuine(), "TopicArn", "arn:aws:sns:us-east-2:123456789012:other"), "is not configured"),
        (with(genuine(), "Type", "Other"), "no messages of type `Other`"),
        (without(genuine(), "Signature"), "missing field `Signature`"),
        (json!({"a": 1}), "raw message delivery has none"),
        (json!([genuine()]), "no signed message of SNS"),
    ];
    let certificate = |url: &str| (with(genuine(), "SigningCertURL", url), "`SigningCertURL`");
    messages.extend(
        [
            "http://sns.us-east-2.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.us-east-2.amazonaws.com.example.com/SimpleNotificationService-1.pem",
            "https://sns.us-east-2.amazonaws.com@example.com/SimpleNotificationService-1.pem",
            "https://user@sns.us-east-2.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.us-east-2.amazonaws.com:8443/SimpleNotificationService-1.pem",
            "https://sns.us-east-2.amazonaws.com.cn/SimpleNotificationService-1.pem",
            "https://sns.a.b.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.amazonaws.com/SimpleNotificationService-1.pem",
            "https://bucket.s3.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.us-east-2.amazonaws.com/?x=/SimpleNotificationService-1.pem",
            "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-1.pem?x",
            "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-/../x.pem",
            "https://sns.us-east-2.amazonaws.com/other.pem",
            "http://127.0.0.1/SimpleNotificationService-1.pem",
            "file:///SimpleNotificationService-1.pem",
            "",
        ]
        .map(certificate),
    );
    for (message, expected) in messages {
        match take(&topics, &message).await {
            Err(NotSns::Denied(reason)) if reason.contains(expected) => {}
            answer => panic!("{message}: {answer:?} instead of {expected}"),
        }
    }
    let twice = genuine().to_string().replacen('{', r#"{"Message":"another","#, 1);
    let twice = topics.take(twice.as_bytes(), NOW.parse().unwrap()).await;
    assert!(matches!(&twice, Err(NotSns::Denied(reason)) if reason.contains("duplicate field")), "{twice:?}");
    assert!(sns.asked().is_empty());
}

#[tokio::test]
async fn what_is_not_signed_so_is_denied_and_confirms_nothing() {
    let sns = Sns::start("200 OK");
    let topics = sns.topics();
    let notification = || notification("2", WITH_SUBJECT_2);
    let confirmation = || confirmation("2", CONFIRMATION_2);
    let wrong = "its signature is not of this message";
    for (message, expected) in [
        (with(notification(), "Message", "My Other Message"), wrong),
        (with(notification(), "Subject", "hello"), wrong),
        (without(notification(), "Subject"), wrong),
        (with(notification(), "MessageId", "1"), wrong),
        (with(notification(), "Timestamp", "2019-01-31T04:37:04.322Z"), wrong),
        (with(notification(), "SignatureVersion", "1"), wrong),
        (with(notification(), "Signature", "?"), wrong),
        (with(notification(), "SignatureVersion", "3"), "there is no `SignatureVersion` 3"),
        (with(confirmation(), "SubscribeURL", "https://example.com/"), wrong),
        (with(confirmation(), "Token", "u"), wrong),
        // Signed by SNS, which would not sign it.
        (
            with(
                with(confirmation(), "SubscribeURL", &format!("https://example.com{SUBSCRIBE_PATH}")),
                "Signature",
                ELSEWHERE_2,
            ),
            "its `SubscribeURL` does not confirm a subscription at SNS",
        ),
    ] {
        assert_eq!(take(&topics, &message).await, Err(NotSns::Denied(expected.to_owned())), "{message}");
    }
    for (now, expected) in [
        ("2018-12-31T00:00:00Z", "its certificate is not valid at this time"),
        ("2020-01-01T00:00:01Z", "its certificate is not valid at this time"),
        ("2019-02-01T04:37:06Z", "it was sent 86401 seconds from now; 86400 are taken"),
        ("2019-01-30T04:37:00Z", "it was sent 86404 seconds from now; 86400 are taken"),
    ] {
        let answer = take_at(&topics, &notification(), now).await;
        assert_eq!(answer, Err(NotSns::Denied(expected.to_owned())), "{now}");
    }
    assert!(sns.asked().iter().all(|path| path == CERTIFICATE_PATH), "{:?}", sns.asked());
}

#[tokio::test]
async fn what_signed_nothing_is_not_kept() {
    let sns = Sns::start("200 OK");
    let topics = sns.topics();
    let forged = with(notification("2", WITH_SUBJECT_2), "Message", "forged");
    for _ in 0..2 {
        assert!(take(&topics, &forged).await.is_err());
    }
    assert_eq!(sns.asked(), [CERTIFICATE_PATH; 2]);
    assert!(topics.certificates.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_can_not_be_fetched_comes_again() {
    let sns = Sns::start("500 Internal Server Error");
    let topics = sns.topics();
    let answer = take(&topics, &notification("2", WITH_SUBJECT_2)).await;
    assert_eq!(answer, Err(NotSns::Unreachable("SNS answered 500 Internal Server Error".to_owned())));
    let all = topics.fetches.try_acquire_many(u32::try_from(FETCHES_AT_ONCE).unwrap()).unwrap();
    let answer = take(&topics, &notification("2", WITH_SUBJECT_2)).await;
    assert!(matches!(&answer, Err(NotSns::Unreachable(reason)) if reason.contains("under way already")), "{answer:?}");
    drop(all);
    assert_eq!(sns.asked().len(), 1);
}
