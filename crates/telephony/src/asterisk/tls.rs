//! TLS to an Asterisk: whom it is taken from, and what a refusal means.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::settings::HostSettings;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("ca_file holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    #[error("a certificate of ca_file cannot be used: {0}")]
    BadCertificate(rustls::Error),
    #[error("TLS cannot be set up here: {0}")]
    SetUp(rustls::Error),
    #[error("HTTP cannot be spoken: {0}")]
    Http(reqwest::Error),
}

/// How the host's certificate is looked at: by its own authority if it has one, else by this machine's. None without TLS.
pub(super) fn configuration(host: &HostSettings) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    if !host.is_encrypted() {
        return Ok(None);
    }
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::SetUp)?;
    let builder = match &host.ca_pem {
        Some(pem) => builder.with_root_certificates(roots(pem)?),
        None => builder.with_platform_verifier().map_err(TlsError::SetUp)?,
    };
    Ok(Some(Arc::new(builder.with_no_client_auth())))
}

fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| TlsError::NoCertificate)?;
        roots.add(certificate).map_err(TlsError::BadCertificate)?;
    }
    if roots.is_empty() { Err(TlsError::NoCertificate) } else { Ok(roots) }
}

/// A client for the host's HTTP server.
pub(super) fn client(
    host: &HostSettings,
    build: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, TlsError> {
    let builder = build(reqwest::Client::builder());
    let builder = match configuration(host)? {
        Some(configuration) => builder.tls_backend_preconfigured((*configuration).clone()),
        None => builder,
    };
    builder.build().map_err(TlsError::Http)
}

/// What is wrong with TLS, and what to do, if that is what kept a connection from being made.
pub(super) fn trouble(error: &(dyn Error + 'static)) -> Option<String> {
    let found =
        std::iter::successors(Some(error), |error| cause(*error)).find_map(|error| error.downcast_ref());
    let what = match found? {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            CertificateError::UnknownIssuer => {
                "its certificate is of an authority that is not known here: name that authority's certificate as ca_file"
                    .to_owned()
            }
            CertificateError::BadSignature => {
                "its certificate is of an authority that is not known here, though one of that name is: name the right one's certificate as ca_file"
                    .to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("its certificate is for another name than the url's: {wrong}")
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("its certificate has expired: {wrong}")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("its certificate is not valid yet, or this machine's clock is wrong: {wrong}")
            }
            other => format!("its certificate cannot be used: {other}"),
        },
        rustls::Error::InvalidMessage(_) => {
            "it answers without TLS: name the port of tlsbindaddr (http.conf) in the url, or begin it with http://".to_owned()
        }
        other => format!("TLS fails: {other}"),
    };
    Some(what)
}

/// What stands behind an error. What an I/O error holds is not its source.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    held.map(|held| held as &(dyn Error + 'static)).or_else(|| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_found_however_deep_it_is() {
        let wrong = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = io::Error::other(io::Error::other(wrong));
        assert!(trouble(&error).unwrap().contains("ca_file"));
        assert_eq!(trouble(&io::Error::other("no route")), None);
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        assert!(matches!(roots("nothing"), Err(TlsError::NoCertificate)));
    }
}
