//! What calls need to know of their surroundings.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_credential_types::Credentials;
use aws_types::region::Region;
use aws_types::service_config::ServiceConfigKey;

use crate::http::HttpClient;
use crate::model;

/// How long the instance's metadata may take to tell the Region, at start.
const METADATA_TIMEOUT: Duration = Duration::from_millis(1000);
/// Where nothing names one.
const FALLBACK_REGION: &str = "us-east-1";

/// The surroundings of [`Aws`](crate::Aws).
#[derive(Clone, Debug)]
pub struct Options {
    /// The process's own Region.
    pub region: String,
    /// Fixed credentials; `None` is the SDKs' chain (environment, profile, web identity, container, instance), asked when first needed.
    pub credentials: Option<Credentials>,
    /// The endpoint of every service that has no own one below: `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// By service id in upper case, blanks as underscores (`S3_CONTROL`): `AWS_ENDPOINT_URL_<SERVICE>`.
    pub endpoint_urls: BTreeMap<String, String>,
    /// Use FIPS endpoints: `AWS_USE_FIPS_ENDPOINT`.
    pub fips: bool,
    /// Use dual-stack endpoints: `AWS_USE_DUALSTACK_ENDPOINT`.
    pub dual_stack: bool,
    /// Send a checksum wherever an operation takes one, not only where it is demanded: the SDKs' own way, unless
    /// `AWS_REQUEST_CHECKSUM_CALCULATION` is `when_required`.
    pub checksums: bool,
    /// In the user agent, and the name of sessions of assumed roles.
    pub application: String,
    /// The client that carries the calls.
    pub http: HttpClient,
}

impl Options {
    /// Fixed credentials in a Region, no endpoint but AWS's own: the start for tests.
    pub fn fixed(region: &str, access_key_id: &str, secret_access_key: &str) -> Options {
        Options {
            region: region.to_owned(),
            credentials: Some(Credentials::new(access_key_id, secret_access_key, None, None, "fixed")),
            endpoint_url: None,
            endpoint_urls: BTreeMap::new(),
            fips: false,
            dual_stack: false,
            checksums: true,
            application: "rectify".to_owned(),
            http: HttpClient::new(),
        }
    }

    /// As the SDKs read it. Takes a second at most, and only where no variable and no profile names the Region.
    pub async fn from_environment() -> Options {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
            .collect();
        let region = match variables.get("AWS_REGION").or_else(|| variables.get("AWS_DEFAULT_REGION")) {
            Some(region) => region.clone(),
            None => region_elsewhere(is_true(&variables, "AWS_EC2_METADATA_DISABLED")).await,
        };
        Options::from_variables(&variables, region, HttpClient::from_environment()).with_profile(&variables).await
    }

    /// What the profile says of endpoints: `endpoint_url`, and that of each service in the section that its `services` names. A variable
    /// beats it; `AWS_ENDPOINT_URL` beats even the services' own.
    ///
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    async fn with_profile(mut self, variables: &BTreeMap<String, String>) -> Options {
        let region = Region::new(self.region.clone());
        let shared = aws_config::defaults(BehaviorVersion::latest()).region(region).no_credentials().load().await;
        self.fips = shared.use_fips().unwrap_or(self.fips);
        self.dual_stack = shared.use_dual_stack().unwrap_or(self.dual_stack);
        if self.endpoint_url.is_some() || is_true(variables, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return self;
        }
        self.endpoint_url = shared.endpoint_url().map(str::to_owned);
        let Some(profile) = shared.service_config() else { return self };
        for id in model::ids() {
            let key =
                ServiceConfigKey::builder().service_id(id).profile("endpoint_url").env("AWS_ENDPOINT_URL").build();
            let url = key.ok().and_then(|key| profile.load_config(key));
            if let Some(url) = url.filter(|url| self.endpoint_url.as_ref() != Some(url)) {
                self.endpoint_urls.entry(variable_name(id)).or_insert(url);
            }
        }
        self
    }

    fn from_variables(variables: &BTreeMap<String, String>, region: String, http: HttpClient) -> Options {
        let ignored = is_true(variables, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let own = variables.iter().filter(|_| !ignored);
        let own = own.filter_map(|(name, url)| Some((name.strip_prefix("AWS_ENDPOINT_URL_")?.to_owned(), url.clone())));
        Options {
            region,
            credentials: None,
            endpoint_url: variables.get("AWS_ENDPOINT_URL").filter(|_| !ignored).cloned(),
            endpoint_urls: own.collect(),
            fips: is_true(variables, "AWS_USE_FIPS_ENDPOINT"),
            dual_stack: is_true(variables, "AWS_USE_DUALSTACK_ENDPOINT"),
            checksums: !variables
                .get("AWS_REQUEST_CHECKSUM_CALCULATION")
                .is_some_and(|value| value.eq_ignore_ascii_case("when_required")),
            application: "rectify".to_owned(),
            http,
        }
    }

    /// The endpoint configured for the service of that id (`S3 Control`).
    pub(crate) fn endpoint(&self, service_id: &str) -> Option<&str> {
        self.own_endpoint(service_id).or(self.endpoint_url.as_deref())
    }

    /// The endpoint configured for that service and no other.
    pub(crate) fn own_endpoint(&self, service_id: &str) -> Option<&str> {
        self.endpoint_urls.get(&variable_name(service_id)).map(String::as_str)
    }
}

/// `S3 Control` → `S3_CONTROL`
fn variable_name(service_id: &str) -> String {
    service_id.replace([' ', '-'], "_").to_ascii_uppercase()
}

fn is_true(variables: &BTreeMap<String, String>, name: &str) -> bool {
    variables.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

async fn region_elsewhere(metadata_disabled: bool) -> String {
    if let Some(region) = ProfileFileRegionProvider::new().region().await {
        return region.to_string();
    }
    if !metadata_disabled {
        let provider = ImdsRegionProvider::builder().build();
        if let Ok(Some(region)) = tokio::time::timeout(METADATA_TIMEOUT, provider.region()).await {
            return region.to_string();
        }
    }
    tracing::warn!("no Region is configured: {FALLBACK_REGION} is used; set AWS_REGION for another");
    FALLBACK_REGION.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Options {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Options::from_variables(&variables, "eu-west-1".to_owned(), HttpClient::new())
    }

    #[test]
    fn endpoints_of_the_environment() {
        let options = read(&[
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_S3_CONTROL", "http://control"),
            ("AWS_ENDPOINT_URL_SFN", "http://sfn"),
        ]);
        for (id, endpoint) in [
            ("S3 Control", "http://control"),
            ("SFN", "http://sfn"),
            ("S3", "http://all"),
            ("SecurityHub", "http://all"),
        ] {
            assert_eq!(options.endpoint(id), Some(endpoint), "{id}");
        }
        assert_eq!((options.own_endpoint("SFN"), options.own_endpoint("S3")), (Some("http://sfn"), None));
        let ignored = read(&[
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_S3", "http://s3"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ]);
        assert_eq!(ignored.endpoint("S3"), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let options = Options::fixed("eu-west-1", "AKIDEXAMPLE", "very-secret");
        assert!(!format!("{options:?}").contains("very-secret"));
    }
}
