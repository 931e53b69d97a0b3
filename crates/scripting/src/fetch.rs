//! `fetch` for scripts: to allowed hosts only, never to private addresses unless that is allowed, with limits.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, StatusCode, redirect};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::{Host, Url};

/// Redirects followed at most.
const REDIRECTS_MAX: usize = 5;
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where scripts may go.
#[derive(Clone, Debug, Default)]
pub struct FetchPolicy {
    /// Hosts: `crm.example.com`, or `*.example.com` for all below it, or `*` for all.
    pub hosts: Vec<String>,
    /// Whether private, loopback and link-local addresses may be reached.
    pub allows_private: bool,
    /// Bytes of a body at most, sent or received.
    pub body_bytes_max: usize,
}

/// Fetches for scripts; one for all of them.
#[derive(Clone)]
pub struct Fetcher {
    public: Client,
    any: Client,
}

/// What a script says of a request.
#[derive(Deserialize, Default)]
struct Options {
    method: Option<String>,
    headers: Option<Map<String, Value>>,
    body: Option<String>,
}

impl Fetcher {
    /// Makes one.
    ///
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        // Whoever sets it first wins; all of this program set the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |allows_private| {
            Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .user_agent(concat!("Outdial/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .dns_resolver(Arc::new(Resolver { allows_private }))
                .build()
        };
        Ok(Self { public: client(false)?, any: client(true)? })
    }

    /// Carries out `fetch(url, options)`; the answer is `{status, url, headers, body}`.
    ///
    /// # Errors
    /// In the script's words: what is not allowed, or what failed.
    pub async fn fetch(&self, policy: &FetchPolicy, arguments: &Value) -> Result<Value, String> {
        let url = arguments.get(0).and_then(Value::as_str).ok_or("fetch needs a URL")?;
        let options = arguments.get(1).cloned().unwrap_or(Value::Null);
        let options: Option<Options> =
            serde_json::from_value(options).map_err(|error| format!("fetch: wrong options: {error}"))?;
        let options = options.unwrap_or_default();
        let method = options.method.as_deref().unwrap_or("GET").to_ascii_uppercase();
        let mut method =
            Method::from_bytes(method.as_bytes()).map_err(|_| "fetch: there is no such method")?;
        let mut url = Url::parse(url).map_err(|error| format!("fetch: not a URL: {error}"))?;
        let mut body = options.body;
        if body.as_ref().is_some_and(|body| body.len() > policy.body_bytes_max) {
            return Err(format!("fetch: the body is larger than {} bytes", policy.body_bytes_max));
        }
        let mut headers = headers(options.headers.unwrap_or_default())?;
        let client = if policy.allows_private { &self.any } else { &self.public };
        for _ in 0..=REDIRECTS_MAX {
            check(policy, &url)?;
            let request = client.request(method.clone(), url.clone()).headers(headers.clone());
            let request = match &body {
                Some(body) => request.body(body.clone()),
                None => request,
            };
            let response = request.send().await.map_err(|error| told(&error))?;
            let Some(next) = redirected(&response, &url) else {
                return read(response, policy.body_bytes_max).await;
            };
            if next.host_str() != url.host_str() {
                // What is meant for one host is not another's to see.
                headers.remove("authorization");
                headers.remove("cookie");
            }
            if response.status() == StatusCode::SEE_OTHER {
                method = Method::GET;
                body = None;
            }
            url = next;
        }
        Err(format!("fetch: more than {REDIRECTS_MAX} redirects"))
    }
}

fn headers(given: Map<String, Value>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = HeaderName::try_from(name).map_err(|_| "fetch: a header's name is not one")?;
        let text =
            HeaderValue::try_from(text).map_err(|_| format!("fetch: the header {name} cannot be sent"))?;
        headers.insert(name, text);
    }
    Ok(headers)
}

fn check(policy: &FetchPolicy, url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("fetch: {} is neither http nor https", url.scheme()));
    }
    let Some(host) = url.host() else { return Err("fetch: the URL names no host".to_owned()) };
    let name = host.to_string().to_ascii_lowercase();
    let is_allowed = |pattern: &String| match pattern.strip_prefix("*.") {
        Some(above) => {
            name.strip_suffix(&above.to_ascii_lowercase()).is_some_and(|below| below.ends_with('.'))
        }
        None => pattern == "*" || pattern.eq_ignore_ascii_case(&name),
    };
    if !policy.hosts.iter().any(is_allowed) {
        return Err(format!(
            "fetch: {name} is not among the hosts that this tenant's scripts may reach: have it added to the tenant's list \
             under [scripts.hosts] in the configuration"
        ));
    }
    let address = match host {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    };
    match address {
        Some(address) if !policy.allows_private && !is_public(address) => Err(private(&name)),
        _ => Ok(()),
    }
}

fn private(name: &str) -> String {
    format!(
        "fetch: {name} is a private address, which scripts may not reach unless the configuration says \
         allow_private_addresses = true under [scripts]"
    )
}

fn redirected(response: &reqwest::Response, from: &Url) -> Option<Url> {
    let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection())?;
    from.join(location.to_str().ok()?).ok()
}

async fn read(response: reqwest::Response, most: usize) -> Result<Value, String> {
    let (status, url) = (response.status().as_u16(), response.url().to_string());
    let mut headers = Map::new();
    for (name, value) in response.headers() {
        headers.insert(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into());
    }
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|error| told(&error))?);
        if body.len() > most {
            return Err(format!("fetch: the answer is larger than {most} bytes"));
        }
    }
    let body = String::from_utf8_lossy(&body);
    Ok(json!({"status": status, "url": url, "headers": headers, "body": body}))
}

/// An error with its causes: the first alone says little.
fn told(error: &reqwest::Error) -> String {
    let mut text = String::from("fetch: no answer");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Resolves names, and leaves out addresses that may not be reached.
struct Resolver {
    allows_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allows_private = self.allows_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| allows_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(private(name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is somebody's on the internet. The ranges that are not are those of the IANA special-purpose
/// registries (RFC 6890 and its updates).
fn is_public(address: IpAddr) -> bool {
    const SPECIAL: [&str; 25] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    ];
    let address = address.to_canonical();
    let holds = |text: &&str| text.parse::<ipnet::IpNet>().is_ok_and(|network| network.contains(&address));
    !SPECIAL.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(hosts: &[&str], allows_private: bool) -> FetchPolicy {
        FetchPolicy {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            allows_private,
            body_bytes_max: 1000,
        }
    }

    fn refusal(policy: &FetchPolicy, url: &str) -> Option<String> {
        check(policy, &Url::parse(url).unwrap()).err()
    }

    #[test]
    fn only_hosts_on_the_list_are_reached() {
        let some = policy(&["crm.example.com", "*.Example.org"], false);
        for good in ["https://crm.example.com/x", "http://CRM.example.com:8080/", "https://a.b.example.org/"]
        {
            assert_eq!(refusal(&some, good), None, "{good}");
        }
        for bad in [
            "https://example.com/",
            "https://example.org/",
            "https://evilexample.org/",
            "https://crm.example.com.evil.net/",
            "ftp://crm.example.com/",
            "https://crm.example.com@evil.net/",
        ] {
            assert!(refusal(&some, bad).is_some(), "{bad}");
        }
        let told = refusal(&some, "https://erp.example.com/").unwrap();
        assert!(told.contains("erp.example.com") && told.contains("[scripts.hosts]"), "{told}");
    }

    #[test]
    fn private_addresses_are_reached_only_where_that_is_allowed() {
        for private in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://10.1.2.3/",
            "http://169.254.169.254/latest",
            "http://[::ffff:192.168.1.1]/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://[fd00::1]/",
        ] {
            assert!(refusal(&policy(&["*"], false), private).unwrap().contains("private"), "{private}");
            assert_eq!(refusal(&policy(&["*"], true), private), None, "{private}");
        }
        assert_eq!(refusal(&policy(&["*"], false), "http://8.8.8.8/"), None);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_followed() {
        let fetcher = Fetcher::new().unwrap();
        let error = fetcher.fetch(&policy(&["*"], false), &json!(["http://localhost:1/"])).await.unwrap_err();
        assert!(error.contains("private address"), "{error}");
    }
}
