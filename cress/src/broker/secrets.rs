// SPDX-License-Identifier: Apache-2.0
//! `cress broker secrets`: secrets that a running broker gives out. A value comes from standard input, a file or the environment, and
//! never from an argument, which other users of the machine could read; and none is ever printed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use cress_api::broker::{PutSecret, SOCKET_FILE, StoredSecretVersion, WhichSecret};
use cress_client::BrokerAdminClient;
use cress_domain::Name;

use crate::output::{self, Format};
use crate::runtime;

/// The longest value that is read.
const VALUE_BYTES_MAX: u64 = 64 * 1024;
/// The part that is put where none is named.
const FIELD_DEFAULT: &str = "value";

/// Put, choose and erase secrets that a running broker gives out.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cress broker secrets put weather --field api_key=file:/run/weather-key
  printf %s \"$KEY\" | cress broker secrets put weather --field api_key=-
  cress broker secrets list
  cress broker secrets activate weather 2
  cress broker secrets retire weather 1

The socket belongs to the broker's user; run this as the same user.")]
pub(super) struct Arguments {
    /// The broker's data directory, in which its socket lies
    #[arg(long, global = true, value_name = "DIR", env = "CRESS_BROKER_DATA_DIR", default_value = "cress-data/broker")]
    data_dir: PathBuf,
    /// The broker's socket, if it does not lie there
    #[arg(long, global = true, value_name = "PATH", env = "CRESS_BROKER_SOCKET")]
    socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Put a new version of a secret, which is given out from now on
    Put {
        /// The secret: a new one, or one that is there
        name: Name,
        /// A part of it, and where its value is: NAME=- for standard input, NAME=file:PATH or NAME=env:VARIABLE. Without any: the part
        /// "value", from standard input. One line break at the end is no part of a value
        #[arg(long = "field", value_name = "NAME=WHERE")]
        fields: Vec<String>,
        /// Only store it; `activate` gives it out later
        #[arg(long)]
        store_only: bool,
    },
    /// List every version of every secret, without values
    List,
    /// Give out this version from now on
    Activate {
        /// The secret
        name: Name,
        /// Its version
        version: u32,
    },
    /// Erase the value of a version for good; if it was given out, nothing is from then on
    Retire {
        /// The secret
        name: Name,
        /// Its version
        version: u32,
    },
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let socket = arguments.socket.clone().unwrap_or_else(|| arguments.data_dir.join(SOCKET_FILE));
    let format = Format::of(arguments.json);
    let command = arguments.command.clone();
    runtime::of_command()?.block_on(async {
        let client = BrokerAdminClient::new(&socket)?;
        match command {
            Command::Put { name, fields, store_only } => {
                let put = PutSecret { name, fields: values(&fields)?, activate: !store_only };
                told(
                    &client.put_secret(&put).await?,
                    if store_only { "stored" } else { "given out from now on" },
                    format,
                )
            }
            Command::List => print(&client.secrets().await?, format),
            Command::Activate { name, version } => {
                told(&client.activate_secret(&WhichSecret { name, version }).await?, "given out from now on", format)
            }
            Command::Retire { name, version } => {
                told(&client.retire_secret(&WhichSecret { name, version }).await?, "erased", format)
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn told(which: &WhichSecret, what: &str, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => output::json(which),
        Format::Human => output::line(format!("version {} of {} is {what}", which.version, which.name)),
    }
}

fn print(versions: &[StoredSecretVersion], format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&versions);
    }
    for version in versions {
        output::line(format!(
            "{} {} {} {} {}",
            version.name,
            version.version,
            version.state,
            version.created_at,
            version.fields.join(",")
        ))?;
    }
    Ok(())
}

fn values(fields: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    if fields.is_empty() {
        return Ok(BTreeMap::from([(FIELD_DEFAULT.to_owned(), from_standard_input()?)]));
    }
    let mut values = BTreeMap::new();
    for field in fields {
        // What stands behind the name may be a secret that was put there by mistake: it is not repeated.
        let (name, place) =
            field.split_once('=').context("expected --field NAME=-, NAME=file:PATH or NAME=env:VARIABLE")?;
        let value = value(name, place)?;
        ensure!(values.insert(name.to_owned(), value).is_none(), "expected each part once, got {name} again");
    }
    let standard_inputs = fields.iter().filter(|field| field.ends_with("=-")).count();
    ensure!(standard_inputs <= 1, "expected standard input for one part, got {standard_inputs}");
    Ok(values)
}

fn value(name: &str, place: &str) -> anyhow::Result<String> {
    let read = if place == "-" {
        return from_standard_input();
    } else if let Some(path) = place.strip_prefix("file:") {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read the part {name}"))?;
        read(file).with_context(|| format!("cannot read the part {name} from {path}"))?
    } else if let Some(variable) = place.strip_prefix("env:") {
        std::env::var(variable).with_context(|| format!("the part {name} in the environment variable {variable}"))?
    } else {
        bail!("expected where the value of {name} is, -, file:PATH or env:VARIABLE, and not the value itself");
    };
    Ok(without_line_break(read))
}

fn from_standard_input() -> anyhow::Result<String> {
    read(std::io::stdin()).map(without_line_break).context("cannot read the value from standard input")
}

fn read(source: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    let length = source.take(VALUE_BYTES_MAX + 1).read_to_string(&mut text)?;
    ensure!(length as u64 <= VALUE_BYTES_MAX, "expected at most {VALUE_BYTES_MAX} bytes");
    Ok(text)
}

fn without_line_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
    }
    text
}
