// SPDX-License-Identifier: Apache-2.0
//! What the suite has to be told of a target: how one uses a credential there, cuts it off, and sees what it holds.

use async_trait::async_trait;
use cress_domain::{AccountName, Timestamp};

use crate::{Credential, Issued, Provider};

/// A provider under test, with the real target behind it. Nobody else may use the target meanwhile.
///
/// What a target has none of is left out: without accounts, those methods are never called.
#[async_trait]
pub trait TestTarget: Send + Sync {
    /// The provider, made from settings with short time limits.
    fn provider(&self) -> &dyn Provider;

    /// The credential that the suite asks for.
    fn credential(&self) -> &dyn Credential;

    /// A parameter that the credential allows, with a good value; none if it takes none. Hostile values are given to it.
    fn parameter(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Root secrets, in clear text, that must be seen nowhere.
    fn root_secrets(&self) -> Vec<String>;

    /// Uses the credential as a workload does that has just been given it: by a new connection, or by a request.
    ///
    /// # Errors
    /// The test itself failed, which is not the same as [`Use::Refused`].
    async fn attempt(&self, issued: &Issued) -> Result<Use, String>;

    /// Tries with the credential what it must not be able to do: another one's keys, tables or objects. Whether it could.
    ///
    /// # Errors
    /// The test itself failed.
    async fn trespass(&self, issued: &Issued) -> Result<bool, String>;

    /// Everything at the target that lets anyone in or says what they may do, one line each, in any order. A line of an account has
    /// its name in it.
    ///
    /// # Errors
    /// The test itself failed.
    async fn state(&self) -> Result<Vec<String>, String>;

    /// Opens a connection with the credential and keeps it; none where there are only requests.
    ///
    /// # Errors
    /// It could not be opened.
    async fn open_session(&self, _issued: &Issued) -> Result<Option<Box<dyn Session>>, String> {
        Ok(None)
    }

    /// When the target itself would end the account; none if it does not know.
    ///
    /// # Errors
    /// The test itself failed.
    async fn end_of(&self, _account: &AccountName) -> Result<Option<Timestamp>, String> {
        Ok(None)
    }

    /// Makes an account of this name by hand, as if it were somebody else's.
    ///
    /// # Errors
    /// It could not be made.
    async fn make_account(&self, name: &str) -> Result<(), String> {
        Err(format!("expected a way to make {name} by hand, as the provider makes accounts"))
    }

    /// Removes an account of this name by hand.
    ///
    /// # Errors
    /// It could not be removed.
    async fn remove_account(&self, name: &str) -> Result<(), String> {
        Err(format!("expected a way to remove {name} by hand, as the provider makes accounts"))
    }

    /// Cuts the provider off from its target, in this way. Whether that can be done here.
    ///
    /// # Errors
    /// The test itself failed.
    async fn cut(&self, _how: Cut) -> Result<bool, String> {
        Ok(false)
    }

    /// Ends [`TestTarget::cut`].
    ///
    /// # Errors
    /// The test itself failed.
    async fn mend(&self) -> Result<(), String> {
        Ok(())
    }

    /// Ends the group that the credential belongs to, as an operator does where credentials end only so.
    ///
    /// # Errors
    /// It could not be ended.
    async fn end_group(&self, _issued: &Issued) -> Result<(), String> {
        Err("expected a way to end a group, as the provider revokes by group".to_owned())
    }

    /// Lets the target's clock pass this moment, where credentials say themselves when they end.
    ///
    /// # Errors
    /// It could not be done.
    async fn pass(&self, _moment: Timestamp) -> Result<(), String> {
        Err("expected a way to let time pass, as the credentials end by themselves".to_owned())
    }
}

/// A connection that was made with a credential.
#[async_trait]
pub trait Session: Send {
    /// Whether it can still do what the credential is for.
    async fn is_alive(&mut self) -> bool;
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The credential works.
    Works,
    /// The target did not let it in.
    Refused,
}

/// How a target is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Connections break.
    Broken,
    /// Nothing is carried any more, without a word.
    Silent,
}
