//! The Rust function of the matrix answers by path.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use http::{Request, Response, StatusCode};
use std::{env, fs, path::Path, process, thread, time::Duration};

const PNG: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\x0dIDATx\xdacd\xf8\xcfP\x0f\x00\x03\x86\x01\x80Z4}k\x00\x00\x00\x00IEND\xaeB`\x82";

pub fn handle(request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    match request.uri().path() {
        "/json" => answer("application/json", br#"{"language":"rust"}"#.to_vec()),
        "/html" => answer("text/html; charset=utf-8", b"<p>rust</p>".to_vec()),
        "/png" => answer("image/png", PNG.to_vec()),
        "/echo" => answer("application/octet-stream", request.into_body()),
        "/native" => {
            let text = b"hello"; // zlib, compiled from C
            let sum = unsafe { libz_sys::crc32(0, text.as_ptr(), text.len() as libz_sys::uInt) };
            answer("application/json", format!("{{\"crc32\":{sum}}}").into_bytes())
        }
        "/secret" => {
            let mount = env::var("secret_mount_path").unwrap_or_default();
            answer("text/plain", fs::read(Path::new(&mount).join("matrix")).unwrap_or_else(|e| e.to_string().into_bytes()))
        }
        "/crash" => process::exit(3),
        "/slow" => {
            thread::sleep(Duration::from_secs(10));
            answer("text/plain", Vec::new())
        }
        _ => {
            let mut response = answer("text/plain", Vec::new());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn answer(content_type: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(content_type));
    response
}

/// Fails the messages whose body is "bad".
pub fn handle_event(event: SqsEvent) -> Result<SqsBatchResponse, String> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if message.body.as_deref() == Some("bad") {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    Ok(response)
}
