//! `whotbox docs`, for packagers: the manual pages and the shells' completions, from the definition of the command line.
//!
//! Must not know what a command does.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use clap::{Arg, Command as Definition, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::flags::Cli;

/// The sample of the settings file, which is the manual page of it.
const SAMPLE: &str = include_str!("../../systemd/whotbox.toml");
/// Exit codes (contract, section 8).
const EXITS: [(&str, &str); 4] =
    [("0", "done"), ("1", "failed"), ("2", "wrong usage"), ("3", "could not reach what it needs")];

/// Writes `whotbox.1`, `whotbox.toml.5` and the completions of bash, zsh and fish into a folder, which is made.
///
/// # Errors
/// What the operating system says.
pub fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut definition = Cli::command();
    definition.build();
    fs::write(folder.join("whotbox.1"), page(&definition))?;
    fs::write(folder.join("whotbox.toml.5"), settings_page())?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "whotbox", folder)?;
    }
    Ok(())
}

/// The manual page of the program with all its commands.
#[must_use]
pub fn page(definition: &Definition) -> String {
    let about = definition.get_about().map(ToString::to_string).unwrap_or_default();
    let mut out = heading("WHOTBOX", 1);
    let _ = writeln!(out, ".SH NAME\nwhotbox \\- {}", roff(&about));
    let _ = writeln!(out, ".SH SYNOPSIS\n.B whotbox\n[\\fIOPTIONS\\fR] [\\fICOMMAND\\fR]");
    let _ = writeln!(
        out,
        ".SH DESCRIPTION\nWithout a command it runs a box, making it on the first run. Every setting may stand in\n\
         .BR whotbox.toml (5)\nor in the environment, as in\n.BR WHOTBOX_LISTEN ."
    );
    let _ = writeln!(out, ".SH OPTIONS");
    definition.get_arguments().filter(|arg| !arg.is_hide_set()).for_each(|arg| option(&mut out, arg));
    let _ = writeln!(out, ".SH COMMANDS");
    commands(&mut out, definition, "whotbox");
    let _ = writeln!(out, ".SH EXIT STATUS");
    for (code, meaning) in EXITS {
        let _ = writeln!(out, ".TP\n.B {code}\n{meaning}");
    }
    if let Some(examples) = definition.get_before_help() {
        let text = examples.to_string();
        let lines = text.lines().filter(|line| line.starts_with(' ')).map(|line| roff(line.trim()));
        let _ = writeln!(out, ".SH EXAMPLES\n.nf\n{}\n.fi", lines.collect::<Vec<_>>().join("\n"));
    }
    let _ = writeln!(
        out,
        ".SH FILES\n.TP\n.I /etc/whotbox/whotbox.toml\nsettings of the service\n.TP\n.I /var/lib/whotbox\ndata of the service\n\
         .TP\n.I /usr/share/doc/whotbox/OPERATIONS.md\nhow a box is run\n.SH SEE ALSO\n.BR whotbox.toml (5)"
    );
    out
}

/// The manual page of the settings file.
#[must_use]
pub fn settings_page() -> String {
    let mut out = heading("WHOTBOX.TOML", 5);
    out.push_str(".SH NAME\nwhotbox.toml \\- settings of a Whot box\n.SH DESCRIPTION\n.nf\n");
    SAMPLE.lines().for_each(|line| {
        let _ = writeln!(out, "{}", roff(line.strip_prefix("# ").unwrap_or(line)));
    });
    out.push_str(".fi\n.SH SEE ALSO\n.BR whotbox (1)\n");
    out
}

fn heading(name: &str, section: u8) -> String {
    format!(".TH {name} {section} \"\" \"whotbox {}\" \"Whot box\"\n", env!("CARGO_PKG_VERSION"))
}

/// Each command that does something, with what it takes.
fn commands(out: &mut String, definition: &Definition, path: &str) {
    for command in definition.get_subcommands().filter(|command| !command.is_hide_set()) {
        let path = format!("{path} {}", command.get_name());
        let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help";
        if command.has_subcommands() {
            commands(out, command, &path);
            continue;
        }
        let wanted: String = command
            .get_positionals()
            .filter(own)
            .map(|arg| if arg.is_required_set() { format!(" {}", value(arg)) } else { format!(" [{}]", value(arg)) })
            .collect();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(out, ".SS \"{}{}\"\n{}", roff(&path), roff(&wanted), roff(&about));
        command.get_arguments().filter(own).for_each(|arg| option(out, arg));
    }
}

fn option(out: &mut String, arg: &Arg) {
    let long = arg.get_long().map(|long| format!("\\fB{}\\fR", roff(&format!("--{long}"))));
    let short = arg.get_short().map(|short| format!("\\fB{}\\fR", roff(&format!("-{short}"))));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let takes = arg.get_action().takes_values();
    let name = if names.is_empty() {
        format!("\\fI{}\\fR", roff(&value(arg)))
    } else if takes {
        format!("{} \\fI{}\\fR", names.join(", "), roff(&value(arg)))
    } else {
        names.join(", ")
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, ".TP\n{name}\n{}", roff(&help));
}

fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    names.unwrap_or_else(|| arg.get_id().as_str().to_uppercase())
}

/// Text as the formatter of manual pages takes it.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq");
    let guarded =
        text.lines().map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.into() });
    guarded.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_every_flag_has_its_place_on_the_page() {
        let mut definition = Cli::command();
        definition.build();
        let page = page(&definition);
        for command in ["serve", "user add", "backup restore", "config check", "upstream enroll"] {
            assert!(page.contains(&format!(".SS \"whotbox {command}")), "{command}");
        }
        for arg in definition.get_arguments().filter_map(Arg::get_long) {
            assert!(page.contains(&roff(&format!("--{arg}"))), "{arg}");
        }
        assert!(!page.contains("whotbox docs"), "what is for packagers is not for people");
        assert!(page.lines().all(|line| !line.starts_with('\'')), "a line that the formatter would take for a request");
    }

    #[test]
    fn the_settings_page_has_every_setting() {
        let page = settings_page();
        let lacking = crate::config::keys::ALL.iter().find(|key| !page.contains(&format!("#{}", key.name)));
        assert!(lacking.is_none(), "{lacking:?}");
    }

    #[test]
    fn a_folder_gets_pages_and_completions() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("docs")).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(folder.path().join("docs")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["_whotbox", "whotbox.1", "whotbox.bash", "whotbox.fish", "whotbox.toml.5"]);
    }
}
