//! What `.reload` was asked for.

use crate::command::{Args, masm};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Module;
use rkd_symbols::pe::Image;

/// What was typed behind `.reload`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// `/f`: the symbols are read now.
    pub now: bool,
    /// `/i`: those of another build do.
    pub mismatched: bool,
    /// `/u`: they are forgotten.
    pub unload: bool,
    /// `/v`: every place that is tried is told.
    pub noisy: bool,
    /// The modules; none means all.
    pub modules: Vec<Wanted>,
}

/// A module that was named.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// kd's name or the image's, with wildcards.
    pub name: String,
    /// Where it is placed, as an expression, and how many bytes it has.
    pub place: Option<(String, Option<String>)>,
}

impl Request {
    /// What was bound.
    pub(super) fn of(args: &Args) -> Request {
        Request {
            // A file of another build is looked for when it is read.
            now: args.has("f") || args.has("i"),
            mismatched: args.has("i"),
            unload: args.has("u"),
            noisy: args.has("v"),
            modules: args.texts("Module[=Address[,Size]]").map(wanted).collect(),
        }
    }
}

fn wanted(word: &str) -> Wanted {
    let (name, place) = match word.split_once('=') {
        None => (word, None),
        Some((name, place)) => {
            let (at, size) = place
                .split_once(',')
                .map_or((place, None), |(at, size)| (at, Some(size.to_string())));
            (name, Some((at.to_string(), size)))
        }
    };
    Wanted {
        name: name.to_string(),
        place,
    }
}

impl Wanted {
    /// The module at its place; a size that was left out is that of the image's header.
    ///
    /// # Errors
    /// Those of the expressions; [`Error::NotFound`] without a size.
    pub(super) fn placed(&self, session: &Session) -> Result<Option<Module>> {
        let Some((at, size)) = &self.place else {
            return Ok(None);
        };
        let base = Virt(masm::evaluate(session, at)?);
        let size = match size {
            Some(size) => masm::evaluate(session, size)?,
            None => match Image::read(session.target.kernel.space(), base) {
                Ok(image) => u64::from(image.headers().size_of_image),
                Err(why) => {
                    return Err(Error::NotFound(format!(
                        "{}: how large is it? Say {}={at},SIZE ({why})",
                        self.name, self.name
                    )));
                }
            },
        };
        Ok(Some(Module::placed(&self.name, base, size)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request> {
        Args::typed(&super::super::COMMAND, text).map(|args| Request::of(&args))
    }

    #[test]
    fn switches_and_names() {
        assert_eq!(parse("").unwrap(), Request::default());
        assert_eq!(parse("/n /unl /s").unwrap(), Request::default());
        let request = parse("/fv x.sys=fffff80012340000,5000 nt").unwrap();
        assert!(request.now && request.noisy && !request.unload && !request.mismatched);
        let place = ("fffff80012340000".to_string(), Some("5000".to_string()));
        assert_eq!(
            request.modules,
            [
                Wanted {
                    name: "x.sys".into(),
                    place: Some(place)
                },
                Wanted {
                    name: "nt".into(),
                    place: None
                }
            ]
        );
        assert!(parse("x /i").unwrap().now);
        assert!(parse("-v /fs").unwrap().noisy);
        assert_eq!(
            parse("/q").unwrap_err().to_string(),
            "/q is no switch of .reload (it has /f /i /u /v /n)"
        );
    }
}
