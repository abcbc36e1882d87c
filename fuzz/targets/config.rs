// SPDX-License-Identifier: Apache-2.0
//! Whatever stands in a settings file: it is taken or refused with an error that can be shown. The first byte names the role.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use cress_service::config::{Sources, load};
use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("cress-fuzz-config-{}.toml", std::process::id())));

fuzz_target!(|data: &[u8]| {
    let Some((role, text)) = data.split_first() else { return };
    std::fs::write(&*FILE, text).expect("a file for settings");
    let told = match role {
        b'c' => load::<cress_control::Config>(&sources("control"))
            .map_err(|error| error.to_string())
            .and_then(|config| config.check().map_err(|error| error.to_string())),
        b'n' => load::<cress_node::Config>(&sources("node"))
            .map_err(|error| error.to_string())
            .and_then(|config| config.check().map_err(|error| error.to_string())),
        b'a' => load::<cress_authz::Config>(&sources("authz"))
            .map_err(|error| error.to_string())
            .and_then(|config| config.check().map_err(|error| error.to_string())),
        _ => return,
    };
    if let Err(error) = told {
        assert!(!error.is_empty());
    }
});

fn sources(role: &'static str) -> Sources {
    Sources::new(role).file(Some(&FILE))
}
