//! Scripts that download what a dump needs, to be run on another machine. The names in them come out of the dump: they stand in
//! single quotes, in which a shell sees nothing but text.

use super::super::arguments::ScriptFor;
use super::list::Need;
use crate::render::sanitize::plain;

const SH: &str = r#"to=${1:-symbols}
missing=0
get() {
    [ -s "$to/$2" ] && return
    mkdir -p "$to/$(dirname "$2")"
    if command -v curl >/dev/null 2>&1
    then curl -fsSL --retry 2 -o "$to/$2.part" "$1"
    else wget -q -O "$to/$2.part" "$1"
    fi
    if [ $? -eq 0 ] && mv "$to/$2.part" "$to/$2"
    then echo "$2"
    else rm -f "$to/$2.part"; missing=$((missing + 1)); echo "not to be had: $1" >&2
    fi
}
"#;

const POWERSHELL: &str = r#"param([string]$To = 'symbols')
$ProgressPreference = 'SilentlyContinue'
$script:missing = 0
function Get-Symbol([string]$Url, [string]$Place) {
    $file = Join-Path $To $Place
    if (Test-Path -LiteralPath $file) { return }
    New-Item -ItemType Directory -Force -Path (Split-Path $file) | Out-Null
    try {
        Invoke-WebRequest -UseBasicParsing -Uri $Url -OutFile "$file.part"
        Move-Item -LiteralPath "$file.part" -Destination $file
        $Place
    } catch {
        $script:missing++
        Write-Warning "not to be had: $Url"
    }
}
"#;

/// The script for these needs, each file once.
pub(super) fn write(shell: ScriptFor, dump: &str, needs: &[Need]) -> String {
    let mut files: Vec<(&str, &str)> = Vec::new();
    for need in needs {
        if let (Some(url), Some(place)) = (&need.url, &need.place)
            && !files.iter().any(|(_, known)| known == place)
        {
            files.push((url, place));
        }
    }
    let unknown = needs.iter().filter(|need| need.pdb.is_err()).count();
    let (start, body) = match shell {
        ScriptFor::Sh => ("#!/bin/sh\n", SH),
        ScriptFor::Powershell => ("", POWERSHELL),
    };
    let mut text = format!(
        "{start}# The symbol files that {} needs. Run this where there is a network: it fills the folder symbols, or the\n\
         # one that is named behind it. Bring that folder back, and file it with:  rkd symbols import symbols\n",
        plain(dump)
    );
    if unknown > 0 {
        text +=
            &format!("# Of {unknown} more modules the dump does not say which PDB they need.\n");
    }
    text += body;
    for (url, place) in &files {
        text += &match shell {
            ScriptFor::Sh => format!("get {} {}\n", sh_quoted(url), sh_quoted(place)),
            ScriptFor::Powershell => {
                format!("Get-Symbol {} {}\n", ps_quoted(url), ps_quoted(place))
            }
        };
    }
    let all = files.len();
    text += &match shell {
        ScriptFor::Sh => format!(
            "[ $missing -eq 0 ] || {{ echo \"$missing of {all} files are missing\" >&2; exit 1; }}\n"
        ),
        ScriptFor::Powershell => format!(
            "if ($script:missing -ne 0) {{ Write-Warning \"$script:missing of {all} files are missing\"; exit 1 }}\n"
        ),
    };
    text
}

fn sh_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// PowerShell ends a text also at the quotation marks of typesetters.
fn ps_quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '‘' | '’' | '‚' | '‛') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_a_command() {
        assert_eq!(sh_quoted("a'; rm -rf /; '"), r"'a'\''; rm -rf /; '\'''");
        assert_eq!(sh_quoted("$(x)`y`\\"), r"'$(x)`y`\'");
        assert_eq!(ps_quoted("a’; x ' $(y)"), "'a’’; x '' $(y)'");
    }
}
