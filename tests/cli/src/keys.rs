//! Throw-away public keys, whose private halves were deleted when they were made.

/// Alice's, with a comment.
pub const ALICE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJYAKLgrZvSsoLj9RDFU9LpFEyRDqqDdgiN6cCgnZTpQ alice@laptop\n";
/// Its fingerprint.
pub const ALICE_FINGERPRINT: &str = "SHA256:1oKkPoyywazx+c780u5mKZ9vg6wFrmdNhxMNfn/CSOA";
/// Bob's.
pub const BOB: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBCuTvA0KAD+AfphSbeICqKbosgInsFyOPvdxnpnNojG bob\n";
/// Its fingerprint.
pub const BOB_FINGERPRINT: &str = "SHA256:/8VzSWbuAWS6x2xwKPR+nMHr981QS2USaUZmZVwCtmM";
/// An RSA key of 1024 bits.
pub const WEAK: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDf+REZQ0xIO5S12twPwBImbqaJiEpZ6jZLe2jtPgOK72Xcx7ho3a7QP2iZNm1AiR82ctQc1UWvIDn4RGCYOh6WWpF24Yv1g3TWhAoSbbh3/9k4WOzMwyoZvd5tHY5eqYRL2K6Ut6HohGe/7pggSbfrVVSkLsClkgklHLSn32MXew== weak\n";
/// What begins like a private key and is none.
pub const PRIVATE: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nU0VDUkVU\n-----END OPENSSH PRIVATE KEY-----\n";
