//! The text of a configuration file comes in; routes and limits that can be served go out, or complaints
//! that say where and why not. Pure: no file but the given text is read, no name looked up.

mod access_log;
mod api_arn;
mod authorizer;
mod aws;
mod complaint;
mod endings;
mod environment;
mod identity_source;
mod limits;
mod listen;
mod quantity;
mod rest;
mod route;
mod segments;
mod timeouts;
mod tls;
mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

pub(crate) use access_log::AccessLog;
pub(crate) use api_arn::{ApiArn, METHODS, NoArn};
pub(crate) use authorizer::{AnswerKind, Asks, Authorizer, AuthorizerFunction, LambdaAuthorizer};
pub(crate) use aws::{Aws, is_url};
pub use complaint::{Complaint, Complaints};
pub(crate) use endings::Endings;
pub(crate) use environment::Environment;
pub(crate) use identity_source::{ContextName, IdentitySource};
pub(crate) use limits::Limits;
#[cfg(feature = "local")]
pub(crate) use rest::KeySource;
pub(crate) use rest::{Rest, Rules};
pub(crate) use route::Route;
pub(crate) use segments::Segments;
pub(crate) use timeouts::Timeouts;
pub(crate) use tls::Tls;
pub(crate) use upstream::{
    EventFormat, Http, Lambda, Mode, Prelude, Sign, Upstream, names_in_braces,
};
#[cfg(feature = "local")]
pub(crate) use upstream::{Local, Process, ServiceLimits};

use complaint::Source;

/// How long answers have to come to their end after the gateway is told to stop: five seconds less than
/// Kubernetes waits before it kills (`terminationGracePeriodSeconds`, 30 s).
const SHUTDOWN_GRACE_DEFAULT: Duration = Duration::from_secs(25);

/// A file of certificates to trust, for all AWS tools.
pub(crate) const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// Where in the file, in bytes, and what is wrong there.
pub(crate) type Wrong = (Option<Range<usize>>, String);

/// What a gateway serves, and how.
#[derive(Clone, Debug)]
pub struct Config {
    source: Source,
    pub(crate) listen: Vec<SocketAddr>,
    /// Where that is in the file, if it is there.
    listen_at: Vec<Option<Range<usize>>>,
    /// Where metrics and health are told.
    pub(crate) admin: Option<SocketAddr>,
    admin_at: Option<Range<usize>>,
    pub(crate) tls: Option<Tls>,
    pub(crate) shutdown_grace: Duration,
    pub(crate) access_log: AccessLog,
    access_log_at: Option<Range<usize>>,
    /// Whether a client may name its request.
    pub(crate) accept_request_id: bool,
    pub(crate) limits: Limits,
    pub(crate) aws: Aws,
    /// By name, and where that is in the file.
    pub(crate) authorizers: BTreeMap<String, (Range<usize>, Authorizer)>,
    pub(crate) segments: Segments,
    pub(crate) routes: Vec<Route>,
    /// The REST API that this is the part of.
    pub(crate) rest: Option<Rest>,
    pub(crate) environment: Environment,
    /// What is served although somebody may not have meant it.
    notes: Vec<Complaint>,
}

/// The file as TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    listen: Option<Spanned<listen::Written>>,
    admin: Option<Spanned<String>>,
    tls: Option<Tls>,
    #[serde(default, deserialize_with = "quantity::duration")]
    shutdown_grace: Option<Duration>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    timeouts: Timeouts,
    access_log: Option<Spanned<AccessLog>>,
    #[serde(default)]
    accept_request_id: bool,
    #[serde(default)]
    aws: Aws,
    segments: Option<Spanned<Segments>>,
    #[serde(default)]
    authorizers: BTreeMap<Spanned<String>, authorizer::Table>,
    #[serde(default)]
    routes: Vec<route::Table>,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by line; or that it cannot be read.
    pub fn read(file: &Path) -> Result<Self, Complaints> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Complaint::of_file(&name, format!("cannot be read: {error}")))?;
        Self::parse(&text, &name)
    }

    /// Reads the text of a configuration; `name` is what complaints call its file, and paths in it are meant
    /// from that file's folder.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, by line. What is no TOML, and a key that nobody knows, hide what comes
    /// after them.
    pub fn parse(text: &str, name: &str) -> Result<Self, Complaints> {
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        let source = Source::new(name, text);
        let file: File = toml::from_str(text).map_err(|error| {
            source.complaint(error.span(), complaint::in_our_words(error.message()))
        })?;
        let mut wrong: Vec<Wrong> = Vec::new();
        let (listen, admin) = listen::addresses(file.listen, file.admin, &mut wrong);
        file.aws.check(&mut wrong);
        if let Some(segments) = &file.segments
            && let Err(reason) = segments.get_ref().check()
        {
            wrong.push((Some(segments.span()), reason));
        }
        let mut authorizers = BTreeMap::new();
        for (name, table) in file.authorizers {
            let (at, name) = (name.span(), name.into_inner());
            match table.into_authorizer(&name, at.clone(), folder) {
                Ok(authorizer) => _ = authorizers.insert(name, Ok((at, authorizer))),
                Err(reason) => {
                    wrong.push(reason);
                    // Routes that name it have that one fault and not another.
                    authorizers.insert(name, Err(()));
                }
            }
        }
        let mut routes = Vec::with_capacity(file.routes.len());
        for table in file.routes {
            match table.into_route(&file.limits, file.timeouts, folder) {
                Ok(route) => {
                    if let Some(name) = &route.authorizer
                        && !authorizers.contains_key(name.get_ref())
                    {
                        let reason = format!("there is no authorizer {:?}", name.get_ref());
                        wrong.push((Some(name.span()), reason));
                    }
                    let policies = |name: &Spanned<String>| {
                        let authorizer = authorizers.get(name.get_ref());
                        matches!(authorizer, Some(Ok((_, Authorizer::Lambda(_)))))
                    };
                    let foreign = |method: &&http::Method| !METHODS.contains(&method.as_str());
                    if let Some(name) = route.authorizer.as_ref().filter(|name| policies(name))
                        && let Some(method) = route.methods.iter().find(foreign)
                    {
                        let reason = format!(
                            "an authorizer of kind lambda is asked about {} and no other method: {method} \
                             would be refused",
                            METHODS.join(", ")
                        );
                        wrong.push((Some(name.span()), reason));
                    }
                    routes.push(route);
                }
                Err(reason) => wrong.push(reason),
            }
        }
        if let Err(reasons) = crate::routes::Routes::new(&routes) {
            let span = |route: usize| routes.get(route).map(|route| route.path.span());
            wrong.extend(reasons.into_iter().map(|(route, reason)| (span(route), reason)));
        }
        // Perhaps somebody is writing the file at this moment.
        if routes.is_empty() && wrong.is_empty() {
            let reason = "there is no route in it: write [[routes]] with a path, an authorizer and an upstream";
            wrong.push((None, reason.into()));
        }
        if !wrong.is_empty() {
            return Err(source.complaints(wrong));
        }
        let plain = |address: Spanned<SocketAddr>| address.into_inner();
        let read = Self {
            listen_at: listen.iter().map(|address| Some(address.span())).collect(),
            listen: listen.into_iter().map(plain).collect(),
            admin_at: admin.as_ref().map(Spanned::span),
            admin: admin.map(plain),
            tls: file.tls.map(|tls| tls.beside(folder)),
            shutdown_grace: file.shutdown_grace.unwrap_or(SHUTDOWN_GRACE_DEFAULT),
            access_log_at: file.access_log.as_ref().map(Spanned::span),
            access_log: file.access_log.map(Spanned::into_inner).unwrap_or_default().beside(folder),
            accept_request_id: file.accept_request_id,
            limits: file.limits,
            aws: file.aws.beside(folder),
            segments: file.segments.map(Spanned::into_inner).unwrap_or_default(),
            authorizers: authorizers
                .into_iter()
                .filter_map(|(name, authorizer)| Some((name, authorizer.ok()?)))
                .collect(),
            routes,
            rest: None,
            environment: Environment::default(),
            notes: Vec::new(),
            source,
        };
        Ok(read.with_notes())
    }

    fn with_notes(mut self) -> Self {
        let listen = self.listen_at.iter().cloned().zip(self.listen.iter().copied());
        let admin = self.admin.map(|admin| (self.admin_at.clone(), admin));
        let notes = listen::notes(listen, admin, self.tls.is_some());
        let notes = notes.into_iter().map(|(span, reason)| self.source.complaint(span, reason));
        self.notes = notes.collect();
        self
    }

    /// Listens at these addresses in place of those that the file says.
    pub fn listen_on(mut self, addresses: Vec<SocketAddr>) -> Self {
        self.listen_at = vec![None; addresses.len()];
        self.listen = addresses;
        self.with_notes()
    }

    /// Where variables of the environment are looked up that the configuration names, and those of proxies
    /// and certificates (`HTTPS_PROXY`, `AWS_CA_BUNDLE`, ...). Without it there are none. What the AWS SDK
    /// looks for itself, it looks for in the process.
    pub fn environment(
        mut self,
        variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.environment = Environment::new(variable);
        self
    }

    /// Where the gateway listens.
    pub fn listen(&self) -> &[SocketAddr] {
        &self.listen
    }

    /// How long answers have to come to their end after the gateway is told to stop.
    pub fn shutdown_grace(&self) -> Duration {
        self.shutdown_grace
    }

    /// How many routes there are.
    pub fn route_count(&self) -> usize {
        self.routes.len()
    }

    /// What is served although somebody may not have meant it, such as an address that others reach
    /// without TLS.
    pub fn notes(&self) -> &[Complaint] {
        &self.notes
    }

    /// The files that it names, or the variable `AWS_CA_BUNDLE`: certificates and their keys.
    pub fn files(&self) -> Vec<PathBuf> {
        let tls = self.tls.iter();
        let tls = tls.flat_map(|tls| [tls.certificate.get_ref(), tls.key.get_ref()]);
        tls.cloned().chain(self.ca_bundle().map(|(_, file)| file)).collect()
    }

    /// The certificates to trust in place of the system's, and where they are named if that is in the file.
    pub(crate) fn ca_bundle(&self) -> Option<(Option<Range<usize>>, PathBuf)> {
        let said = self.aws.ca_bundle.as_ref();
        let said = said.map(|file| (Some(file.span()), file.get_ref().clone()));
        said.or_else(|| self.environment.variable(CA_BUNDLE).map(|file| (None, file.into())))
    }

    /// Why the access log cannot be written.
    pub(crate) fn access_log_complaint(&self, error: &std::io::Error) -> Complaint {
        let reason = match &self.access_log {
            AccessLog::File(path) => format!("access_log {}: {error}", path.display()),
            _ => format!("access_log: {error}"),
        };
        self.complaint((self.access_log_at.clone(), reason))
    }

    /// What is wrong at a place of it.
    pub(crate) fn complaint(&self, (span, reason): Wrong) -> Complaint {
        self.source.complaint(span, reason)
    }
}
