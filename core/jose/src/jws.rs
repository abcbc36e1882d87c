// SPDX-License-Identifier: Apache-2.0
//! The compact serialization of a signature (RFC 7515 section 7.1): `header.payload.signature`.

use std::fmt;

use cress_domain::KeyIdError;
use cress_domain::limits::TOKEN_BYTES_MAX;

use crate::json::JsonError;
use crate::{Algorithm, Header, UnsupportedAlgorithm, VerificationKey, base64url};

/// A token in compact form whose header is acceptable and whose signature is not yet checked.
#[derive(Debug, Clone)]
pub struct CompactJws<'token> {
    parts: JwsParts<'token>,
    header: Header,
}

/// The three decoded parts of a token, about which nothing else is known. For tools that show tokens;
/// whoever wants to trust one takes [`CompactJws`].
#[derive(Clone)]
pub struct JwsParts<'token> {
    signing_input: &'token str,
    header: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// One of the three parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Header,
    /// The second.
    Payload,
    /// The third.
    Signature,
}

/// A token that is not acceptable as a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("expected a token of at most {TOKEN_BYTES_MAX} characters, got {0}")]
    TooLong(usize),
    /// Not three parts: an encrypted token has five, an unsigned text one.
    #[error("expected a token of three parts separated by dots, got {0}")]
    PartCount(usize),
    /// A part that is not base64url, or not its canonical spelling.
    #[error("expected canonical base64url without padding as the {0} of the token")]
    Base64(Part),
    /// A header that is no JSON object, or repeats a member.
    #[error("the token's header is malformed: {0}")]
    HeaderJson(JsonError),
    /// A header member of the wrong type or too long.
    #[error("expected a short text as the header's {0:?}")]
    HeaderMember(&'static str),
    /// The header's `crit` demands extensions to be understood; none is (RFC 7515 section 4.1.11).
    #[error("expected a header without \"crit\": no header extension is supported")]
    Critical,
    /// No `alg`.
    #[error("expected an \"alg\" in the token's header, got none")]
    AlgorithmMissing,
    /// An `alg` that does not exist here, `none` among them.
    #[error(transparent)]
    Algorithm(UnsupportedAlgorithm),
    /// A `kid` that is empty, too long, or not printable.
    #[error("the token's header is malformed: {0}")]
    KeyId(KeyIdError),
    /// An empty third part.
    #[error("expected a signed token, got one without a signature")]
    SignatureMissing,
    /// The header's `alg` is not the one that the key is for.
    #[error("expected the algorithm {key} of the key, got {header} in the token's header")]
    AlgorithmMismatch {
        /// What the token says.
        header: Algorithm,
        /// What the key is for.
        key: Algorithm,
    },
    /// The signature was not made by this key over this header and payload.
    #[error("the token's signature does not match its content and key")]
    SignatureInvalid,
}

impl<'token> CompactJws<'token> {
    /// Parses a token; its signature stays unchecked until [`Self::verify`].
    ///
    /// # Errors
    /// [`JwsError`] saying what is malformed or not supported.
    pub fn parse(token: &'token str) -> Result<Self, JwsError> {
        let parts = JwsParts::split(token)?;
        let header = Header::parse(parts.header())?;
        if parts.signature().is_empty() {
            return Err(JwsError::SignatureMissing);
        }
        Ok(Self { parts, header })
    }

    /// The header. Until [`Self::verify`] has succeeded anyone may have written it.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The decoded payload. Until [`Self::verify`] has succeeded anyone may have written it.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        self.parts.payload()
    }

    /// Checks the signature with this key and the key's own algorithm.
    ///
    /// # Errors
    /// [`JwsError::AlgorithmMismatch`] if the header says another algorithm, [`JwsError::SignatureInvalid`] if the
    /// signature is not this key's.
    pub fn verify(&self, key: &VerificationKey) -> Result<(), JwsError> {
        let (header, key_algorithm) = (self.header.algorithm(), key.algorithm());
        if header != key_algorithm {
            return Err(JwsError::AlgorithmMismatch { header, key: key_algorithm });
        }
        key.verify(self.parts.signing_input.as_bytes(), self.parts.signature()).map_err(|_| JwsError::SignatureInvalid)
    }
}

impl<'token> JwsParts<'token> {
    /// Splits and decodes a token.
    ///
    /// # Errors
    /// [`JwsError::TooLong`], [`JwsError::PartCount`] or [`JwsError::Base64`].
    pub fn split(token: &'token str) -> Result<Self, JwsError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwsError::TooLong(token.len()));
        }
        let part_count = || JwsError::PartCount(token.split('.').count());
        let (signing_input, signature) = token.rsplit_once('.').ok_or_else(part_count)?;
        let (header, payload) = signing_input.split_once('.').ok_or_else(part_count)?;
        if payload.contains('.') {
            return Err(part_count());
        }
        let decode = |part, text| base64url::decode(text).map_err(|_| JwsError::Base64(part));
        Ok(Self {
            signing_input,
            header: decode(Part::Header, header)?,
            payload: decode(Part::Payload, payload)?,
            signature: decode(Part::Signature, signature)?,
        })
    }

    /// The decoded header, not parsed.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The decoded payload, not parsed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The decoded signature, not checked; empty if it was stripped.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// A token is a credential as long as it is valid: `Debug` shows none of it.
impl fmt::Debug for JwsParts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JwsParts(..)")
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}
