//! A request, as Docker is asked it, up to its answer.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::{
    DownloadFromContainerOptions, KillContainerOptions, LogsOptions, RemoveContainerOptions,
    RenameContainerOptions, RestartContainerOptions, StatsOptions, StopContainerOptions, TopOptions,
    UploadToContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt as _;

use super::creation::{seconds, update};
use crate::model::{ExecSpec, Look, Removal, Signal, Verb};

/// What it came to, if Docker did not refuse.
#[derive(Debug)]
pub(super) enum Said {
    Done,
    Noop,
    /// What was waited for has ended; and what it has written, if it was a command inside.
    Exited(i32, String),
    /// There is no such command inside; in Docker's words.
    NotExecuted(String),
}

/// Whose request it is.
#[derive(Clone, Debug)]
pub(super) struct Addressee {
    /// What Docker knows it by.
    pub(super) id: String,
    pub(super) program: Program,
}

/// Whether a start is answered once the program says that it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Lab,
    Other,
}

/// How long a lab program may take to become ready.
const READY_DEADLINE: Duration = Duration::from_secs(2);
const READY_INTERVAL: Duration = Duration::from_millis(5);
/// What `docker exec` shows of a command that is not there, in what the command should have written.
const NOT_EXECUTED: &str = "OCI runtime exec failed";

/// Everything but create, which is not waited for in the background.
pub(super) async fn ask(client: &bollard::Docker, whom: &Addressee, verb: &Verb) -> Result<Said, Error> {
    let id = whom.id.as_str();
    match verb {
        Verb::Start => return start(client, whom).await,
        Verb::Restart { timeout, signal } => {
            let before = Beginning::look(client, whom).await;
            let options = RestartContainerOptions { signal: signal.map(number), t: timeout.map(seconds) };
            client.restart_container(id, Some(options)).await?;
            before.until_ready(client, whom).await;
        }
        Verb::Stop { timeout, signal } => {
            let options = StopContainerOptions { signal: signal.map(number), t: timeout.map(seconds) };
            client.stop_container(id, Some(options)).await?;
        }
        Verb::Kill { signal } => {
            let options = KillContainerOptions { signal: number(*signal) };
            client.kill_container(id, Some(options)).await?;
        }
        Verb::Pause => client.pause_container(id).await?,
        Verb::Unpause => client.unpause_container(id).await?,
        Verb::Remove(removal) => {
            let force = *removal == Removal::Forced;
            let options = RemoveContainerOptions { force, v: true, link: false };
            client.remove_container(id, Some(options)).await?;
        }
        Verb::Rename { to } => {
            client.rename_container(id, RenameContainerOptions { name: to.to_string() }).await?;
        }
        Verb::Update { restart, limits } => client.update_container(id, update(*restart, *limits)).await?,
        Verb::Exec(spec) => return exec(client, whom, spec).await,
        Verb::Wait => return wait(client, id).await,
        Verb::Look(look) => self::look(client, id, *look).await?,
        // A creation has a way of its own, and no scenario commits.
        Verb::Create(_) | Verb::Commit => {}
    }
    Ok(Said::Done)
}

/// What a container has written to standard output.
pub(super) async fn output(client: &bollard::Docker, id: &str) -> String {
    let options = LogsOptions { stdout: true, tail: "all".into(), ..LogsOptions::default() };
    collected(client.logs(id, Some(options))).await.unwrap_or_default()
}

async fn start(client: &bollard::Docker, whom: &Addressee) -> Result<Said, Error> {
    let before = Beginning::look(client, whom).await;
    client.start_container(&whom.id, None).await?;
    Ok(before.until_ready(client, whom).await)
}

fn number(signal: Signal) -> String {
    signal.number().to_string()
}

/// When a container was last begun, and how often it has said that it is ready.
struct Beginning {
    at: Option<String>,
    said: usize,
}

impl Beginning {
    async fn look(client: &bollard::Docker, whom: &Addressee) -> Self {
        Self { at: begun(client, &whom.id).await.0, said: said_ready(client, whom).await }
    }

    /// Docker answers as soon as the program is executed, which may have no handlers yet. Says whether there is a new beginning
    /// at all: a request that finds it running already is answered in the same way.
    async fn until_ready(&self, client: &bollard::Docker, whom: &Addressee) -> Said {
        let ready = tokio::time::timeout(READY_DEADLINE, async {
            loop {
                let (at, runs) = begun(client, &whom.id).await;
                if at == self.at {
                    return Said::Noop;
                }
                if !runs || whom.program == Program::Other || said_ready(client, whom).await > self.said {
                    return Said::Done;
                }
                tokio::time::sleep(READY_INTERVAL).await;
            }
        });
        ready.await.unwrap_or(Said::Done)
    }
}

async fn begun(client: &bollard::Docker, id: &str) -> (Option<String>, bool) {
    let inspected = client.inspect_container(id, None).await.ok();
    let state = inspected.and_then(|container| container.state).unwrap_or_default();
    (state.started_at, state.running.unwrap_or(false) && !state.restarting.unwrap_or(false))
}

/// The lab program says it by a line on standard error.
async fn said_ready(client: &bollard::Docker, whom: &Addressee) -> usize {
    if whom.program == Program::Other {
        return 0;
    }
    let options = LogsOptions { stderr: true, tail: "all".into(), ..LogsOptions::default() };
    collected(client.logs(&whom.id, Some(options))).await.map_or(0, |text| text.lines().count())
}

async fn exec(client: &bollard::Docker, whom: &Addressee, spec: &ExecSpec) -> Result<Said, Error> {
    let mut env: Vec<String> = spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if whom.program == Program::Lab {
        // Only the container's own program is waited for until it is ready.
        env.push("TERRARIUM_READY_FD=".into());
    }
    let options = CreateExecOptions {
        cmd: Some(spec.command.clone()),
        env: Some(env),
        user: spec.user.clone(),
        working_dir: spec.workdir.clone(),
        tty: Some(spec.tty),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    };
    let exec = client.create_exec(&whom.id, options).await?;
    let how = StartExecOptions { detach: spec.detach, tty: spec.tty, output_capacity: None };
    let begun = client.start_exec(&exec.id, Some(how)).await?;
    let StartExecResults::Attached { output, .. } = begun else { return Ok(Said::Done) };
    let written = collected(output).await.unwrap_or_default();
    let code = ended(client, &exec.id).await?;
    if written.starts_with(NOT_EXECUTED) {
        return Ok(Said::NotExecuted(written.trim().into()));
    }
    Ok(Said::Exited(code, written))
}

/// What it writes may come to its end a moment before it does.
async fn ended(client: &bollard::Docker, exec: &str) -> Result<i32, Error> {
    loop {
        let inspected = client.inspect_exec(exec).await?;
        if inspected.running != Some(true) {
            return Ok(inspected.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0));
        }
        tokio::time::sleep(READY_INTERVAL).await;
    }
}

async fn wait(client: &bollard::Docker, id: &str) -> Result<Said, Error> {
    let options = WaitContainerOptions { condition: "not-running".into() };
    let mut answers = Box::pin(client.wait_container(id, Some(options)));
    let code = match answers.next().await {
        Some(Ok(response)) => response.status_code,
        Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) => return Err(error),
        None => 0,
    };
    Ok(Said::Exited(i32::try_from(code).unwrap_or(0), String::new()))
}

async fn look(client: &bollard::Docker, id: &str, look: Look) -> Result<(), Error> {
    match look {
        Look::Logs => {
            let options = LogsOptions { stdout: true, tail: "all".into(), ..LogsOptions::default() };
            collected(client.logs(id, Some(options))).await?;
        }
        Look::Inspect => drop(client.inspect_container(id, None).await?),
        Look::Top => drop(client.top_processes(id, None::<TopOptions>).await?),
        Look::Stats => {
            let options = StatsOptions { stream: false, one_shot: true };
            Box::pin(client.stats(id, Some(options))).next().await.transpose()?;
        }
        Look::CopyOut => {
            let options = DownloadFromContainerOptions { path: "/etc".into() };
            let mut archive = Box::pin(client.download_from_container(id, Some(options)));
            while let Some(part) = archive.next().await {
                part?;
            }
        }
        Look::CopyIn => {
            let empty = tar::Builder::new(Vec::new()).into_inner().unwrap_or_default();
            let options =
                UploadToContainerOptions { path: "/tmp".into(), ..UploadToContainerOptions::default() };
            client.upload_to_container(id, Some(options), bollard::body_full(empty.into())).await?;
        }
        Look::Diff => drop(client.container_changes(id).await?),
    }
    Ok(())
}

async fn collected(
    output: impl futures_util::Stream<Item = Result<LogOutput, Error>>,
) -> Result<String, Error> {
    let mut output = Box::pin(output);
    let mut text = String::new();
    while let Some(part) = output.next().await {
        text.push_str(&part?.to_string());
    }
    Ok(text)
}
