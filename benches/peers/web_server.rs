//! One file by segments against the same file by curl from nginx: in, the clients and a service that
//! has the folder; out, what each cost. nginx is taken from the path, or from the variable `NGINX`.

use std::fs::File;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use local_lambda::LocalLambda;

use crate::clients::{Ask, Client, Installed};
use crate::process::{self, Cost};
use crate::table::{Medians, Row, Work, mib, time};

/// How long nginx may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is written to the file at once, in bytes.
const WRITE: usize = 1024 * 1024;
const NAME: &str = "file.bin";

/// Both ways of the same file.
pub(crate) struct FileCosts(Work);

impl FileCosts {
    pub(crate) fn ours(&self) -> Medians {
        self.0.medians(Client::OurFile).expect("both were measured")
    }

    /// curl's, which fetched from nginx here.
    pub(crate) fn nginx(&self) -> Medians {
        self.0.medians(Client::CurlUrl).expect("both were measured")
    }

    pub(crate) fn table(&self) -> String {
        let row = |name: &str, m: Medians| {
            let (wall, cpu) = (time(m.wall_s), time(m.cpu_s));
            format!("| {name} | {wall} | {cpu} | {} |\n", mib(m.peak_bytes))
        };
        format!(
            "The same file of {} in a folder that nginx and a function serve.\n\n\
             | how | wall time | CPU | peak memory |\n|---|---|---|---|\n{}{}",
            mib(self.0.bytes as f64),
            row("curl from nginx", self.nginx()),
            row("`invoker get`, 32 in flight", self.ours())
        )
    }
}

/// Fetches one file both ways, in turns. None if nginx or curl is missing, which is said aloud.
pub(crate) fn compare_files(
    installed: &Installed,
    local: &LocalLambda,
    bytes: usize,
    rounds: usize,
) -> Option<FileCosts> {
    if !installed.has(Client::CurlUrl) {
        return None;
    }
    let Some(mut nginx) = Nginx::start(&installed.folder) else {
        eprintln!("MISSING, so its row is: nginx (Debian: apt-get install nginx, or set NGINX)");
        return None;
    };
    eprintln!("a file, and nginx");
    write_file(&installed.folder.join(NAME), bytes);
    let endpoint = local.endpoint_url();
    let bytes = bytes as u64;
    let ask = Ask { endpoint: &endpoint, function: "files", object: Some(NAME), bytes, url: None };
    let out = installed.folder.join("by-curl");
    let arguments = ["-sSf", "-o", &out.display().to_string(), &nginx.url].map(String::from);
    let by_curl = || -> (Cost, Option<f64>) {
        let cost = process::run("curl", &arguments, &[]);
        assert_eq!(std::fs::metadata(&out).expect("the result").len(), bytes);
        std::fs::remove_file(&out).expect("the result");
        (cost, None)
    };
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (other, own) = (by_curl(), installed.run(Client::OurFile, &ask, 0));
        if round > 0 {
            others.push(other);
            ours.push(own);
        }
    }
    nginx.child.kill().expect("to end nginx");
    nginx.child.wait().expect("its end");
    let rows =
        vec![(Client::CurlUrl, Row::Measured(others)), (Client::OurFile, Row::Measured(ours))];
    Some(FileCosts(Work { title: NAME.into(), bytes, rows }))
}

/// nginx in the foreground, one process, as its own defaults have it but for the folder.
struct Nginx {
    child: Child,
    url: String,
}

impl Nginx {
    fn start(folder: &Path) -> Option<Self> {
        let program = std::env::var_os("NGINX").unwrap_or("nginx".into());
        // Free now, and not for long: nobody else is given it in between on a machine that is measured.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        let root = folder.display();
        let config = folder.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/nginx.log;\n\
             events {{}}\n\
             http {{ access_log off; sendfile on; client_body_temp_path {root}/t1; \
             proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; \
             scgi_temp_path {root}/t5;\n\
             server {{ listen {address}; root {root}; }} }}\n"
        );
        std::fs::write(&config, text).expect("its configuration");
        let child = Command::new(program)
            .arg("-e")
            .arg(folder.join("nginx.log"))
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .spawn()
            .ok()?;
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { child, url: format!("http://{address}/{NAME}") })
    }
}

/// Bytes that do not repeat soon; their values do not matter here.
fn write_file(path: &Path, len: usize) {
    let mut file = File::create(path).expect("a file");
    let mut part = vec![0; WRITE];
    for at in 0..len.div_ceil(WRITE) {
        for (index, byte) in part.iter_mut().enumerate() {
            *byte = (index * (at | 1)) as u8;
        }
        let part = &part[..WRITE.min(len - at * WRITE)];
        file.write_all(part).expect("to write it");
    }
}
