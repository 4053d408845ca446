//! Keys and certificates for the tests. Nobody has the private halves: nothing here is ever proved.

use keyroster_grammar::base64;

/// The fingerprint that goes with the offered key on the command line. The lookup hands it on and does not compute it.
pub const FINGERPRINT: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

/// The body of the key that the tests offer.
pub fn offered() -> String {
    ed25519(1)
}

/// The body of another key.
pub fn another() -> String {
    ed25519(2)
}

/// A line for the offered key, as the host agent has it.
pub fn line() -> String {
    format!("restrict,pty ssh-ed25519 {} keyroster:alice:g1", offered())
}

/// The body of a certificate for some key, signed by the key [`another`].
pub fn certificate() -> String {
    let mut blob = Vec::new();
    put(&mut blob, b"ssh-ed25519-cert-v01@openssh.com");
    put(&mut blob, &[7; 32]);
    put(&mut blob, &[1; 32]);
    blob.extend_from_slice(&[0; 8]);
    blob.extend_from_slice(&[0, 0, 0, 1]);
    put(&mut blob, b"alice@example.com");
    put(&mut blob, b"");
    blob.extend_from_slice(&[0; 8]);
    blob.extend_from_slice(&[0xff; 8]);
    put(&mut blob, b"");
    put(&mut blob, b"");
    put(&mut blob, b"");
    put(&mut blob, &ed25519_blob(2));
    put(&mut blob, &[0; 83]);
    base64::encode(&blob)
}

fn ed25519(fill: u8) -> String {
    base64::encode(&ed25519_blob(fill))
}

fn ed25519_blob(fill: u8) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, b"ssh-ed25519");
    put(&mut blob, &[fill; 32]);
    blob
}

/// Appends a field with its length before it, as SSH encodes one.
fn put(blob: &mut Vec<u8>, field: &[u8]) {
    blob.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
    blob.extend_from_slice(field);
}
