//! Serves the function's `handle` to the watchdog in front of it, and the events
//! of Lambda's triggers to its `handle_event` where there is one.

mod wire;

use http::{Request, Response};
use std::fmt::Display;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::thread;

/// The forms that a handler may have; `Form` only tells them apart.
trait Handler<Form> {
    fn answer(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>>;
}

struct OfRequest;
impl<F: Fn(Request<Vec<u8>>) -> Response<Vec<u8>>> Handler<OfRequest> for F {
    fn answer(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        self(request)
    }
}

struct OfBody;
impl<E: Display, F: Fn(Vec<u8>) -> Result<Vec<u8>, E>> Handler<OfBody> for F {
    fn answer(&self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        result(self(request.into_body()))
    }
}

/// A failure is status 500, which makes the invocation of a trigger a failed one.
fn result<E: Display>(result: Result<Vec<u8>, E>) -> Response<Vec<u8>> {
    result.map(Response::new).unwrap_or_else(|err| {
        eprintln!("{err}");
        let mut failed = Response::new(err.to_string().into_bytes());
        *failed.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

#[cfg(feature = "events")]
fn handle_event(payload: Vec<u8>) -> Option<Response<Vec<u8>>> {
    fn call<E, R, X>(f: impl Fn(E) -> Result<R, X>, payload: &[u8]) -> Result<Vec<u8>, String>
    where
        E: serde::de::DeserializeOwned,
        R: serde::Serialize,
        X: Display,
    {
        let event = serde_json::from_slice(payload).map_err(|e| format!("read event: {e}"))?;
        serde_json::to_vec(&f(event).map_err(|e| e.to_string())?).map_err(|e| e.to_string())
    }
    Some(result(call(handler::handle_event, &payload)))
}

#[cfg(not(feature = "events"))]
fn handle_event(_: Vec<u8>) -> Option<Response<Vec<u8>>> {
    None
}

/// Tells the events of triggers from requests. Elsewhere than on Lambda there are
/// none, whatever a client's headers say.
fn dispatch(request: Request<Vec<u8>>, on_lambda: bool) -> Response<Vec<u8>> {
    if cfg!(feature = "events") && on_lambda && request.headers().contains_key("x-lambda-event-source") {
        if let Some(response) = handle_event(request.body().clone()) {
            return response;
        }
    }
    Handler::answer(&handler::handle, request)
}

fn serve(stream: TcpStream, on_lambda: bool) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = wire::read(&mut reader)? {
        let head = request.method() == http::Method::HEAD;
        wire::write(&stream, dispatch(request, on_lambda), head)?;
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let on_lambda = std::env::var("AWS_LAMBDA_FUNCTION_NAME").is_ok_and(|name| !name.is_empty());
    for stream in TcpListener::bind("127.0.0.1:8082")?.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(err) = serve(stream, on_lambda) {
                eprintln!("serve: {err}");
            }
        });
    }
    Ok(())
}
