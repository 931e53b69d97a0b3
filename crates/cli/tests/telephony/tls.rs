//! ARI over TLS, and what is said where that cannot be.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use telephony::RequestPath;

use crate::driver::{Desk, PERSON, settings};
use crate::lab::{Lab, USER};

/// An authority that no machine knows.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = authority.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(authority, key), pem }
    }

    /// A certificate for `localhost` and its key, in PEM.
    fn certificate(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A configuration with this address, and the authority's certificate if it is to be trusted.
fn configuration(lab: &Lab, url: &str, authority: Option<&Authority>) -> std::path::PathBuf {
    let files = lab.files.path();
    let ca = authority.map(|authority| {
        let file = files.join("ca.pem");
        std::fs::write(&file, &authority.pem).unwrap();
        format!("ca_file = \"{}\"\n", file.display())
    });
    std::fs::write(files.join("password"), format!("{USER}\n")).unwrap();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[database]\nurl = \"{0}/tls.db\"\n[node]\ndata_dir = \"{0}/tls\"\n\
         [telephony]\ndriver = \"asterisk\"\n[[telephony.asterisk]]\nname = \"lab\"\nurl = \"{url}\"\nuser = \"{USER}\"\n\
         password_file = \"{0}/password\"\n{1}[[telephony.trunks]]\nname = \"carrier\"\n\
         dial = \"PJSIP/{{number}}@carrier\"\n",
        files.display(),
        ca.unwrap_or_default(),
    );
    let file = files.join("tls.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn check(lab: &Lab, url: &str, authority: Option<&Authority>) -> (bool, String) {
    let file = configuration(lab, url, authority);
    let mut outdial = Command::new(env!("CARGO_BIN_EXE_outdial"));
    let output = outdial.args(["--config", file.to_str().unwrap(), "check", "telephony"]).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn calls_are_placed_and_heard_of_over_tls_both_by_the_web_socket_and_by_http() {
    let mut lab = Lab::start();
    let authority = Authority::new();
    let (certificate, key) = authority.certificate(|_| {});
    let port = lab.encrypt(&certificate, &key);
    for requests in [RequestPath::WebSocket, RequestPath::Http] {
        let mut settings = settings(&lab, requests);
        settings.hosts[0].url = format!("https://localhost:{port}").parse().unwrap();
        settings.hosts[0].ca_pem = Some(authority.pem.clone());
        settings.application = format!("outdial-{requests:?}");
        let mut desk = Desk::with(settings).await;
        let attempt = desk.place(PERSON);
        desk.detected(attempt).await;
        desk.hang_up(attempt).await;
    }
    println!("2 calls over TLS, one by requests over the WebSocket, one by HTTP");
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_by_the_check_and_in_the_log() {
    let mut lab = Lab::start();
    let authority = Authority::new();
    let (certificate, key) = authority.certificate(|_| {});
    let port = lab.encrypt(&certificate, &key);
    let (by_name, by_address) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
    let (passes, said) = check(&lab, &by_name, Some(&authority));
    assert!(passes, "{said}");
    let plain = format!("https://localhost:{}", lab.http_port);
    for (url, authority, wanted) in [
        (&by_name, None, "of an authority that is not known here"),
        (&by_name, Some(&Authority::new()), "of an authority that is not known here"),
        (&by_address, Some(&authority), "for another name than the url's"),
        (&plain, Some(&authority), "it answers without TLS"),
    ] {
        let (passes, said) = check(&lab, url, authority);
        assert!(!passes && said.contains(wanted), "{wanted}: {said}");
    }
    // One that signed itself is its own authority, unless it says that it is one for others.
    for (is_ca, wanted) in
        [(IsCa::NoCa, "Asterisk 22"), (IsCa::Ca(BasicConstraints::Unconstrained), "CaUsedAsEndEntity")]
    {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        lab.encrypt(&pem, &key.serialize_pem());
        let itself = Authority { issuer: Issuer::new(parameters, key), pem };
        let (_, said) = check(&lab, &by_name, Some(&itself));
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let (certificate, key) = authority.certificate(|parameters| {
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    lab.encrypt(&certificate, &key);
    let (passes, said) = check(&lab, &by_name, Some(&authority));
    assert!(!passes && said.contains("has expired"), "{said}");

    // A running Outdial says so once, and does not stop.
    let file = configuration(&lab, &by_name, Some(&authority));
    let mut outdial = Command::new(env!("CARGO_BIN_EXE_outdial"));
    let mut serving =
        outdial.args(["--config", file.to_str().unwrap(), "serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(serving.stderr.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).find(|line| line.contains("no connection to Asterisk"));
    serving.kill().unwrap();
    serving.wait().unwrap();
    let said = said.expect("the log says that there is no connection");
    assert!(said.contains("its certificate has expired"), "{said}");
    println!("7 faults of TLS told apart");
}
