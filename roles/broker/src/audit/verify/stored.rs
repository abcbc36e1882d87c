// SPDX-License-Identifier: Apache-2.0
//! Records in the store, chain by chain.

use cress_store::StoreError;
use cress_store::audit::{AuditChain, AuditStore};

use super::super::chain::ChainId;
use super::{Problem, Report, Verifier};

/// Has all records of a store looked at. They may be added to meanwhile.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub async fn stored(store: &AuditStore, mut verifier: Verifier) -> Result<Report, StoreError> {
    verifier = verifier.of_store();
    let chains = store.chains().await?;
    let unlisted = store.unlisted_chains().await?;
    let names = || chains.iter().map(|chain| &chain.chain).chain(&unlisted);
    for name in names() {
        if let Some(line) = store.line(name, 0).await? {
            verifier.prepare(line.as_bytes());
        }
    }
    for name in names() {
        walk(store, &mut verifier, name).await?;
    }
    for AuditChain { chain, last_seq, .. } in &chains {
        // The list is written with the lines.
        if verifier.head(chain).is_none_or(|head| head < *last_seq) {
            verifier.find("the list of chains", id(chain), Problem::CutOff { seq: *last_seq });
        }
    }
    for name in &unlisted {
        verifier.find("the list of chains", id(name), Problem::Unlisted);
    }
    Ok(verifier.finish())
}

async fn walk(store: &AuditStore, verifier: &mut Verifier, chain: &str) -> Result<(), StoreError> {
    let mut next = 0;
    loop {
        let page = store.lines(chain, next).await?;
        let Some(last) = page.last() else { return Ok(()) };
        next = last.seq.saturating_add(1);
        for line in &page {
            verifier.line(&format!("chain {chain} line {}", line.seq), line.line.as_bytes());
        }
    }
}

fn id(chain: &str) -> Option<ChainId> {
    chain.parse().ok()
}
