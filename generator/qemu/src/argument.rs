//! QEMU's command line as data: options with properties, quoted for QEMU in one place.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The value of an option: `word,key=value,key=value`.
#[derive(Debug)]
pub(super) struct Properties(Vec<u8>);

impl Properties {
    /// Properties after a first word, such as a driver's name.
    pub(super) fn of(word: &str) -> Self {
        Self(word.as_bytes().to_vec())
    }

    /// Properties without such a word.
    pub(super) fn first(key: &str, value: impl AsRef<OsStr>) -> Self {
        Self(Vec::new()).set(key, value)
    }

    /// Adds `key=value`. QEMU ends a value at a comma; one that belongs to it is doubled.
    pub(super) fn set(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        self.0.extend(key.as_bytes());
        self.0.push(b'=');
        self.0.extend(doubled(value.as_ref()));
        self
    }
}

fn doubled(value: &OsStr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    for byte in value.as_bytes() {
        if *byte == b',' {
            bytes.push(b',');
        }
        bytes.push(*byte);
    }
    bytes
}

/// A command line in the making.
#[derive(Debug)]
pub(super) struct Arguments(Vec<OsString>);

impl Arguments {
    pub(super) fn of(program: impl Into<OsString>) -> Self {
        Self(vec![program.into()])
    }

    pub(super) fn flag(&mut self, name: &str) -> &mut Self {
        self.0.push(format!("-{name}").into());
        self
    }

    /// An option whose value QEMU takes as it is.
    pub(super) fn plain(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.flag(name);
        self.0.push(value.into());
        self
    }

    pub(super) fn option(&mut self, name: &str, value: Properties) -> &mut Self {
        self.plain(name, OsString::from_vec(value.0))
    }

    pub(super) fn finish(self) -> Vec<OsString> {
        self.0
    }
}

/// A POSIX shell script that runs `argv`, an option and its value a line.
pub(super) fn script(argv: &[OsString], preparation: &[u8]) -> Vec<u8> {
    let mut text = [b"#!/bin/sh\n", preparation, b"exec"].concat();
    text.extend(words(argv, b" \\\n  "));
    text.push(b'\n');
    text
}

/// `argv` for a POSIX shell, a space before each word, and `turn` before each option.
pub fn words<Word: AsRef<OsStr>>(argv: &[Word], turn: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for word in argv.iter().map(AsRef::as_ref) {
        let option = word.as_bytes().starts_with(b"-");
        text.extend(if option { turn } else { b" " });
        text.extend(quoted(word));
    }
    text
}

/// One word for a POSIX shell.
pub(super) fn quoted(word: &OsStr) -> Vec<u8> {
    let bytes = word.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./,=:+@%".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return bytes.to_vec();
    }
    let mut text = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => text.extend(b"'\\''"),
            other => text.push(*other),
        }
    }
    text.push(b'\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_value_is_doubled() {
        let mut arguments = Arguments::of("qemu");
        arguments.option(
            "blockdev",
            Properties::of("")
                .set("driver", "raw")
                .set("file.filename", "/tmp/a,b"),
        );
        assert_eq!(
            arguments.finish(),
            ["qemu", "-blockdev", "driver=raw,file.filename=/tmp/a,,b"]
        );
    }

    #[test]
    fn the_script_says_to_a_shell_what_argv_says_to_qemu() {
        let argv: Vec<OsString> = ["printf", "%s|", "-append", "a b", "", "it's", "$HOME"]
            .map(OsString::from)
            .to_vec();
        let script = String::from_utf8(script(&argv, b"")).unwrap();
        let output = std::process::Command::new("sh")
            .arg("-c")
            .arg(&script)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "-append|a b||it's|$HOME|"
        );
    }
}
