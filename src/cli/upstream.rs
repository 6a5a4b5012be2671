//! `whotbox upstream`: what central's operator does, and what a box does with its login.

use serde_json::{Value, json};

use replication::admin::{Admin, BoxStatus};
use replication::settings::Settings;

use crate::base::entropy::OsEntropy;
use crate::base::time::{Clock as _, SystemClock};
use crate::cli::control::{self, Failure, Request};
use crate::cli::flags::{CentralArgs, EnrollArgs, LayoutFlag, UpstreamCommand};
use crate::cli::{admin_url, ask, first_line, print, status};
use crate::config::Config;
use crate::upstream::enrol;

/// Does one of the commands.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn run(config: &Config, command: UpstreamCommand) -> Result<(), Failure> {
    match command {
        UpstreamCommand::Migrate { layout, partitions, servers, central } => {
            let url = admin_url(&central)?;
            let mut done = control::migrate(&url, config.upstream_ca.as_deref()).await?;
            let layout = match layout {
                None | Some(LayoutFlag::Single) => None,
                Some(LayoutFlag::Partitioned) => Some("partitioned"),
                Some(LayoutFlag::Citus) => Some("citus"),
            };
            if let (Some(layout), Some(fields)) = (layout, done.as_object_mut()) {
                let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
                let laid = operator(config, &central)?.lay_out(layout, partitions, &servers).await;
                let laid = laid.map_err(|error| Failure::failed(error, "See the handbook: Beyond one server."))?;
                fields.insert("layout".into(), json!(layout));
                fields.insert("laid_out_anew".into(), json!(laid));
            }
            print(&done, false);
            Ok(())
        }
        UpstreamCommand::Enroll(args) => enroll(config, args).await,
        UpstreamCommand::Rotate => {
            print(&ask(config, Request::RotateLogin).await?, false);
            Ok(())
        }
        UpstreamCommand::Revoke { box_id, central } => {
            let known = operator(config, &central)?.revoke(box_id).await.map_err(|error| Failure::central(&error))?;
            if !known {
                return Err(Failure::failed(
                    "Central knows no such box.",
                    "See: whotbox upstream status --admin-url …",
                ));
            }
            print(&json!({"box_id": box_id, "revoked": true}), false);
            Ok(())
        }
        UpstreamCommand::Direct { box_id, kind, arguments, central } => {
            let issued = operator(config, &central)?.direct(box_id, &kind, &arguments).await;
            let seq = issued.map_err(|error| Failure::failed(error, "See: whotbox upstream direct --help."))?;
            print(&json!({"box_id": box_id, "directive": seq}), false);
            Ok(())
        }
        UpstreamCommand::Status { admin_url: Some(admin_url), admin_password_file, output } => {
            let central = CentralArgs { admin_url, admin_password_file };
            let fleet = operator(config, &central)?.fleet().await.map_err(|error| Failure::central(&error))?;
            print(&fleet.iter().map(shown).collect::<Vec<_>>().into(), output.json);
            Ok(())
        }
        UpstreamCommand::Status { admin_url: None, output, .. } => {
            let replication = |mut whole: Value| whole.get_mut("replication").map(Value::take).unwrap_or_default();
            status(config, &output, replication).await
        }
    }
}

fn operator(config: &Config, central: &CentralArgs) -> Result<Admin, Failure> {
    let settings = Settings::parse(&admin_url(central)?, config.upstream_ca.as_deref());
    settings.map(Admin::new).map_err(|error| Failure::central(&error))
}

async fn enroll(config: &Config, args: EnrollArgs) -> Result<(), Failure> {
    let code = args.code_file.as_deref().map(first_line).transpose()?.or(args.code);
    if let Some(code) = code {
        print(&ask(config, Request::EnrollByCode { code }).await?, false);
        return Ok(());
    }
    let ca = config.upstream_ca.as_ref().map(std::path::absolute).transpose();
    let ca = ca.map_err(|error| Failure::usage(error, "Name the CA's file with --upstream-ca FILE."))?;
    let central =
        CentralArgs { admin_url: args.admin_url.unwrap_or_default(), admin_password_file: args.admin_password_file };
    let url = admin_url(&central)?;
    if let Some(name) = args.issue {
        let settings = Settings::parse(&url, ca.as_deref()).map_err(|error| Failure::central(&error))?;
        let issued = enrol::issue(&settings, ca.as_deref(), &name, &OsEntropy, SystemClock::new().now()).await;
        let code = issued.map_err(|error| control::not_enrolled(&error))?;
        print(&json!(code.expose()), false);
        return Ok(());
    }
    print(&ask(config, Request::Enroll { admin_url: url, ca, name: args.name }).await?, false);
    Ok(())
}

fn shown(one: &BoxStatus) -> Value {
    json!({
        "box_id": one.box_id,
        "name": one.name,
        "state": one.state,
        "software": one.software,
        "silent_seconds": one.silent_seconds,
        "backlog": one.backlog,
        "dead_letters": one.dead_letters,
        "clock_error_seconds": one.clock_error_seconds,
        "verified_seconds": one.verified_seconds,
        "diverged_rows": one.diverged_rows,
        "open_directives": one.open_directives,
        "urgent_seq": one.urgent_seq,
        "bulk_seq": one.bulk_seq,
    })
}
