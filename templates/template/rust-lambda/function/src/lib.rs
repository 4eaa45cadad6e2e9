use http::{Request, Response};

/// Answers one request.
pub fn handle(request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    let body = String::from_utf8_lossy(request.body());
    let mut response = Response::new(format!("Hello, {body}!\n").into_bytes());
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_hello() {
        assert_eq!(handle(Request::new(b"world".to_vec())).body(), b"Hello, world!\n");
    }
}
