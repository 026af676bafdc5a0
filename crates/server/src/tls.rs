//! TLS on the listening socket.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::serve::Listener;
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};

/// How long a client may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many clients may shake hands at once.
const HANDSHAKES_AT_ONCE: usize = 256;

/// The certificate or its key can't be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can't be read as PEM.
    #[error("{path}: no {what} in PEM could be read: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// "certificate" or "private key".
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// They don't fit together.
    #[error("the certificate and its key can't be used: {0}")]
    Unusable(String),
}

/// A listener that speaks TLS. Each handshake has a task of its own, so that a slow client holds up nobody.
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Listens with the certificate chain and the private key of two PEM files.
    pub fn new(listener: TcpListener, certificate: &Path, key: &Path) -> Result<TlsListener, TlsError> {
        let unreadable = |path: &Path, what, reason: String| TlsError::File { path: path.to_owned(), what, reason };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(certificate, "certificate", error.to_string()))?;
        let key =
            PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, "private key", error.to_string()))?;
        let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(error.to_string());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| unusable(&error))?;
        let address = listener.local_addr().map_err(|error| unusable(&error))?;
        let (sender, ready) = mpsc::channel(1);
        tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), sender));
        Ok(TlsListener { ready, address })
    }
}

/// Accepts connections for as long as somebody takes them.
async fn accept(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE));
    while let Ok(permit) = handshakes.clone().acquire_owned().await {
        let (stream, address) = tokio::select! {
            () = ready.closed() => return,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                // Nobody takes it any more while the server shuts down.
                Ok(Ok(stream)) => drop(ready.send((stream, address)).await),
                Ok(Err(error)) => tracing::debug!(%address, %error, "the TLS handshake failed"),
                Err(_) => tracing::debug!(%address, "the TLS handshake took too long"),
            }
            drop(permit);
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting task ends only after us.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
