//! TLS: a server with a certificate that was made a moment ago, trusted by its file only.

use std::process::Command;

use snakepit_bridge::core::Status;
use snakepit_bridge::state::{RedisOptions, RedisStore};
use tokio::runtime::Handle;

use crate::server::RedisServer;
use crate::support::{get, opened, register, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_trusted_by_its_certificate_only() {
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path());
    let certificate = folder.path().join("cert.pem");
    let port = free_port();
    let server = RedisServer::start_in(
        folder,
        &[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            "{}/cert.pem",
            "--tls-key-file",
            "{}/key.pem",
            "--tls-auth-clients",
            "no",
        ],
    );
    let url = format!("rediss://localhost:{port}");
    let trusting = RedisOptions { ca_file: Some(certificate), ..RedisOptions::new(&url) };
    let here = with(trusting).await;
    let session = opened(&here).await;
    register(&here, &session, "n").await;
    here.backend.follow(&session, true).resolve().await.unwrap();
    assert_eq!(get(&here, &session, "n").await.version, 1);
    let limits = snakepit_bridge::state::conformance::LIMITS;
    let sink = std::sync::Arc::new(());
    let strict = RedisStore::connect(RedisOptions::new(url), limits, sink, Handle::current()).await;
    let error = strict.map(drop).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error:?}");
    assert!(error.message().contains("certificate"), "{error:?}");
    drop(server);
}

fn make_certificate(folder: &std::path::Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Free a moment ago; redis-server can bind no port of the system's choice.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
