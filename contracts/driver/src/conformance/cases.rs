// SPDX-License-Identifier: Apache-2.0
//! The rules, one function each.

use std::collections::BTreeMap;
use std::time::Duration;

use cress_domain::InstanceId;

use super::{Bench, Case, PATIENCE, ensure, equal, exit, launch, refused, shell, within};
use crate::DriverErrorKind::{Permanent, Temporary};
use crate::{ExecOutcome, Exit, Launch};

const AT_ONCE: u8 = 24;

pub(super) async fn nothing_to_adopt(bench: Bench<'_>) -> Case {
    let adopted = within(bench.driver.adopt()).await?.map_err(super::text)?;
    ensure("no instance to adopt", adopted.is_empty())
}

pub(super) async fn places(bench: Bench<'_>) -> Case {
    let id = InstanceId::generate(bench.random);
    let first = bench.driver.prepare(id).await.map_err(super::text)?;
    equal("a place asked for again", &bench.driver.prepare(id).await.map_err(super::text)?, &first)?;
    bench.release(id).await?;
    bench.release(id).await
}

pub(super) async fn no_place(bench: Bench<'_>) -> Case {
    let id = InstanceId::generate(bench.random);
    bench.release(id).await?;
    refused("a start before prepare", bench.driver.start(id, launch("exit 0")).await, Permanent)?;
    bench.driver.prepare(id).await.map_err(super::text)?;
    bench.release(id).await?;
    refused("a start after release", bench.driver.start(id, launch("exit 0")).await, Permanent)?;
    refused("a command beside nothing", bench.driver.exec(id, shell("exit 0"), PATIENCE).await, Temporary)?;
    Ok(())
}

pub(super) async fn exit_codes(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    for code in [0, 1, 7, 255] {
        let running = bench.start(id, &format!("exit {code}")).await?;
        equal("the end", &exit(running).await?, &Exit::Code(code))?;
    }
    bench.release(id).await
}

pub(super) async fn impossible_starts(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    let start = |command: &[&str]| {
        let command = command.iter().map(|part| (*part).to_owned()).collect();
        bench.driver.start(id, Launch::new(command, BTreeMap::new(), Duration::ZERO))
    };
    for command in [&["no-such-program-anywhere"][..], &["/no/such/file"], &["/"]] {
        let message = refused("an unknown program", start(command).await, Permanent)?;
        ensure("the message to name the program", command.iter().all(|program| message.contains(program)))?;
        ensure("the message to name the instance", message.contains(&id.to_string()))?;
    }
    refused("no command", start(&[]).await, Permanent)?;
    refused("a NUL byte", start(&["sh", "\0"]).await, Permanent)?;
    let running = bench.start(id, "exit 4").await?;
    equal("the end after refused starts", &exit(running).await?, &Exit::Code(4))?;
    bench.release(id).await
}

pub(super) async fn one_run_at_a_time(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    let first = bench.start(id, "sleep 1000").await?;
    refused("a start of what runs", bench.driver.start(id, launch("exit 0")).await, Permanent)?;
    ensure("the first run to go on", bench.holds(id, "exit 0").await?)?;
    bench.stop(id, Duration::from_secs(10)).await?;
    ensure("a stopped command not to succeed", !exit(first).await?.is_success())?;
    let second = bench.start(id, "exit 5").await?;
    equal("the second end", &exit(second).await?, &Exit::Code(5))?;
    bench.release(id).await
}

pub(super) async fn environment(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    let start = |value: &str| {
        let environment =
            BTreeMap::from([("GREETING".to_owned(), value.to_owned()), ("EMPTY".to_owned(), String::new())]);
        let script = r#"test "$GREETING" = "$0" && test "${EMPTY-unset}" = "" && test -n "$PATH" && sleep 1000"#;
        let command = [shell(script), vec![value.to_owned()]].concat();
        bench.driver.start(id, Launch::new(command, environment, Duration::ZERO))
    };
    for value in ["hello", "two words\nand = \"lines\" $PATH", "gr\u{fc}\u{df}e"] {
        let running = start(value).await.map_err(super::text)?;
        let seen = [shell(r#"test "$GREETING" = "$0""#), vec![value.to_owned()]].concat();
        let outcome = bench.driver.exec(id, seen, PATIENCE).await.map_err(super::text)?;
        ensure("a command beside the instance to have its environment", outcome.is_success())?;
        bench.stop(id, Duration::ZERO).await?;
        ensure("the instance to have its environment", !matches!(exit(running).await?, Exit::Code(1)))?;
    }
    bench.release(id).await
}

pub(super) async fn graceful_stop(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    let mark = format!("/tmp/cress-conformance-{id}");
    let script = format!("trap 'rm {mark}; exit 3' TERM; touch {mark}; while :; do sleep 0.05; done");
    let running = bench.start(id, &script).await?;
    bench.wait_for(id, &format!("test -e {mark}")).await?;
    bench.stop(id, PATIENCE).await?;
    equal("the end of a command that ends when asked to", &exit(running).await?, &Exit::Code(3))?;
    bench.release(id).await
}

pub(super) async fn forced_stop(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    let mark = format!("/tmp/cress-conformance-{id}");
    let script = format!("trap '' TERM; touch {mark}; while :; do sleep 1000; done");
    let running = bench.start(id, &script).await?;
    bench.wait_for(id, &format!("test -e {mark} && rm {mark}")).await?;
    bench.stop(id, Duration::from_millis(50)).await?;
    let end = exit(running).await?;
    ensure("a killed command to end by signal 9", matches!(end, Exit::Signal(9) | Exit::Code(137)))?;
    bench.release(id).await
}

pub(super) async fn idempotent_stop(bench: Bench<'_>) -> Case {
    bench.stop(InstanceId::generate(bench.random), PATIENCE).await?;
    let id = bench.instance().await?;
    bench.stop(id, PATIENCE).await?;
    let running = bench.start(id, "trap '' TERM; while :; do sleep 1000; done").await?;
    // The shorter grace counts, whichever came first.
    let (first, second) =
        tokio::join!(bench.stop(id, PATIENCE.saturating_mul(10)), bench.stop(id, Duration::from_millis(20)));
    first.and(second)?;
    ensure("a stopped command not to succeed", !exit(running).await?.is_success())?;
    bench.stop(id, PATIENCE).await?;
    bench.release(id).await
}

pub(super) async fn background_processes(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    let mark = format!("/tmp/cress-conformance-{id}");
    // The command itself ends at once; the other one takes its time, and must be waited for.
    let script = format!(
        "(trap 'sleep 0.3; rm {mark}; exit' TERM; touch {mark}; while :; do sleep 0.05; done) & trap 'exit 6' TERM; wait"
    );
    let running = bench.start(id, &script).await?;
    bench.wait_for(id, &format!("test -e {mark}")).await?;
    bench.stop(id, PATIENCE).await?;
    equal("the end", &exit(running).await?, &Exit::Code(6))?;
    let running = bench.start(id, "sleep 1000").await?;
    ensure("what was in the background to have ended in peace", bench.holds(id, &format!("test ! -e {mark}")).await?)?;
    bench.stop(id, Duration::ZERO).await?;
    exit(running).await?;
    bench.release(id).await
}

pub(super) async fn left_behind(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    let running = bench.start(id, "trap '' TERM; sleep 1000 & exit 8").await?;
    equal("the end", &exit(running).await?, &Exit::Code(8))?;
    bench.release(id).await
}

pub(super) async fn exec(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    refused("a command beside what does not run", bench.driver.exec(id, shell("exit 0"), PATIENCE).await, Temporary)?;
    let running = bench.start(id, "sleep 1000").await?;
    for code in [0, 1, 200] {
        let outcome = bench.driver.exec(id, shell(&format!("exit {code}")), PATIENCE).await.map_err(super::text)?;
        equal("the outcome", &outcome, &ExecOutcome::Exited(Exit::Code(code)))?;
    }
    let slow = bench.driver.exec(id, shell("trap '' TERM; sleep 1000 & wait"), Duration::from_millis(50));
    equal("the outcome", &within(slow).await?.map_err(super::text)?, &ExecOutcome::TimedOut)?;
    refused("an unknown program", bench.driver.exec(id, vec!["/no/such/file".to_owned()], PATIENCE).await, Permanent)?;
    refused("no program", bench.driver.exec(id, Vec::new(), PATIENCE).await, Permanent)?;
    ensure("the instance to be undisturbed", bench.holds(id, "exit 0").await?)?;
    bench.stop(id, Duration::ZERO).await?;
    exit(running).await?;
    bench.release(id).await
}

pub(super) async fn release_running(bench: Bench<'_>) -> Case {
    let id = bench.instance().await?;
    let running = bench.start(id, "trap '' TERM; while :; do sleep 1000; done").await?;
    bench.release(id).await?;
    ensure("a released command not to succeed", !exit(running).await?.is_success())
}

pub(super) async fn many_at_once(bench: Bench<'_>) -> Case {
    let mut runs = Vec::new();
    for code in 0..AT_ONCE {
        let id = bench.instance().await?;
        let mark = format!("/tmp/cress-conformance-{id}");
        let script = format!("until test -e {mark}; do sleep 0.05; done; rm {mark}; exit {code}");
        runs.push((code, id, mark, bench.start(id, &script).await?));
    }
    for (_, id, mark, _) in &runs {
        ensure("a command beside each", bench.holds(*id, &format!("touch {mark}")).await?)?;
    }
    for (code, id, _, running) in runs {
        equal("the end", &exit(running).await?, &Exit::Code(code.into()))?;
        bench.release(id).await?;
    }
    Ok(())
}
