//! A real Asterisk, with SIPp as the carrier with everybody behind it and as agents' phones. Each test has its own, on
//! free ports of the loopback.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/telephony");
/// What ARI's user of the shipped configuration is called, and its password.
pub const USER: &str = "outdial";

pub struct Lab {
    pub root: PathBuf,
    name: String,
    pub http_port: u16,
    sip_port: u16,
    rtp_start: u16,
    carrier_ports: [u16; 2],
    phone_ports: [u16; 2],
    asterisk: Option<Child>,
    sipp: Vec<Child>,
    pub files: tempfile::TempDir,
    /// Nobody else has these ports as long as this is open.
    _ports: std::fs::File,
}

/// One line of a SIPp log: what happened to which number, and when.
#[derive(Clone, Debug)]
pub struct Line {
    pub word: String,
    pub called: String,
    /// Seconds since 1970.
    pub at: f64,
    /// The rest: the call's id, and the caller's header or a status.
    pub rest: String,
}

impl Lab {
    /// Asterisk, both carriers and two phones that answer at once.
    pub fn start() -> Self {
        Self::with_phones(["0", "0"])
    }

    /// As [`Self::start`]; `phones` says how each answers: after so many seconds, `busy`, `never` or `leaves`
    /// (`sipp/phone.xml`).
    pub fn with_phones(phones: [&str; 2]) -> Self {
        let root = std::env::var("TEST_ASTERISK_ROOT")
            .expect("TEST_ASTERISK_ROOT names no Asterisk tree: run `make test-telephony`, which makes one");
        app::install_tls();
        let (slot, ports, held) = free_ports();
        let mut lab = Self {
            root: PathBuf::from(root),
            name: format!("test-{}-{}", std::process::id(), ports[0]),
            http_port: ports[0],
            sip_port: ports[1],
            rtp_start: 10_000 + (slot % 10) * 1000,
            carrier_ports: [ports[2], ports[3]],
            phone_ports: [ports[4], ports[5]],
            asterisk: None,
            sipp: Vec::new(),
            files: tempfile::tempdir().unwrap(),
            _ports: held,
        };
        let sounds = lab.sounds();
        run(Command::new("bash").arg(format!("{FOLDER}/sounds.sh")).arg(&sounds));
        for (index, port) in lab.carrier_ports.into_iter().enumerate() {
            lab.start_sipp("carrier.xml", &[], port, ports[6 + index], &format!("carrier{index}.log"));
        }
        for (index, port) in lab.phone_ports.into_iter().enumerate() {
            let options = ["-set", "answer", phones[index]];
            lab.start_sipp("phone.xml", &options, port, ports[8 + index], &format!("phone{index}.log"));
        }
        lab.start_asterisk();
        lab
    }

    fn sounds(&self) -> PathBuf {
        self.root.join("run/outdial/sounds")
    }

    /// The folder of this Asterisk, as this machine sees it.
    pub fn folder(&self) -> PathBuf {
        self.root.join("run/outdial").join(&self.name)
    }

    /// The same folder as Asterisk sees it.
    pub fn inside(&self) -> String {
        format!("/run/outdial/{}", self.name)
    }

    pub fn start_asterisk(&mut self) {
        let mut command = Command::new("bash");
        command.arg(format!("{REPOSITORY}/scripts/asterisk-instance.sh")).arg(&self.root).arg(&self.name);
        command.args([self.http_port.to_string(), self.sip_port.to_string(), self.rtp_start.to_string()]);
        command.arg(format!("{},{}", self.carrier_ports[0], self.carrier_ports[1]));
        command.args(self.phone_ports.map(|port| port.to_string()));
        let log = std::fs::File::create(self.files.path().join("asterisk.log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.asterisk = Some(command.spawn().unwrap());
        self.wait_for_asterisk();
    }

    fn wait_for_asterisk(&self) {
        // The first one after its tree was made reads everything from the disk.
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.answers() {
            assert!(Instant::now() < deadline, "Asterisk does not answer: {}", self.words());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        use std::io::{Read, Write};
        let Ok(mut socket) = std::net::TcpStream::connect(("127.0.0.1", self.http_port)) else {
            return false;
        };
        let request = format!(
            "GET /ari/asterisk/ping?api_key={USER}:{USER} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        );
        let mut answer = String::new();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        socket.write_all(request.as_bytes()).is_ok()
            && socket.read_to_string(&mut answer).is_ok()
            && answer.contains("pong")
    }

    /// What Asterisk and SIPp complained about.
    pub fn words(&self) -> String {
        let last_of = |path: PathBuf| {
            let text = std::fs::read(&path).map(|text| String::from_utf8_lossy(&text).into_owned());
            let text = text.unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(20).collect();
            lines.into_iter().rev().map(|line| format!("{line}\n")).collect::<String>()
        };
        let mut words = last_of(self.files.path().join("asterisk.log"));
        words += &last_of(self.folder().join("log/messages.log"));
        for log in ["carrier0", "carrier1", "phone0", "phone1"] {
            words += &last_of(self.files.path().join(format!("{log}.log.words")));
        }
        words
    }

    /// Kills Asterisk as a power cut would.
    pub fn kill_asterisk(&mut self) {
        if let Some(mut asterisk) = self.asterisk.take() {
            asterisk.kill().unwrap();
            asterisk.wait().unwrap();
        }
    }

    /// Changes a file of the configuration and starts Asterisk anew with it.
    pub fn spoil(&mut self, file: &str, change: impl Fn(String) -> String) {
        self.kill_asterisk();
        let path = self.folder().join("etc").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, change(text)).unwrap();
        let mut command = Command::new("chroot");
        command.arg(&self.root).args(["/usr/sbin/asterisk", "-f", "-n", "-C"]);
        command.arg(format!("{}/etc/asterisk.conf", self.inside()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.asterisk = Some(command.spawn().unwrap());
        self.wait_for_asterisk();
    }

    /// Has Asterisk speak TLS with this certificate and key as well; gives the port.
    pub fn encrypt(&mut self, certificate: &str, key: &str) -> u16 {
        // The first of a block of ten that the lab has to itself.
        let port = self.http_port + 1;
        let etc = self.folder().join("etc");
        std::fs::write(etc.join("tls.pem"), certificate).unwrap();
        std::fs::write(etc.join("tls.key"), key).unwrap();
        let inside = self.inside();
        self.spoil("http.conf", |text| {
            let plain = text.split(";tlsenable").next().unwrap_or_default();
            let plain = plain.split("\ntlsenable").next().unwrap_or_default();
            format!(
                "{plain}\ntlsenable = yes\ntlsbindaddr = 127.0.0.1:{port}\ntlscertfile = {inside}/etc/tls.pem\n\
                 tlsprivatekey = {inside}/etc/tls.key\n"
            )
        });
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "Asterisk does not speak TLS: {}", self.words());
            std::thread::sleep(Duration::from_millis(50));
        }
        port
    }

    /// Lets Asterisk stand still, or go on.
    pub fn pause_asterisk(&self, pause: bool) {
        let pid = self.asterisk.as_ref().expect("it runs").id().to_string();
        run(Command::new("kill").args([if pause { "-STOP" } else { "-CONT" }, &pid]));
    }

    fn start_sipp(&mut self, scenario: &str, options: &[&str], port: u16, media: u16, log: &str) {
        let words = std::fs::File::create(self.files.path().join(format!("{log}.words"))).unwrap();
        let sipp = Command::new("sipp")
            .current_dir(self.sounds())
            .args(["-sf", &format!("{FOLDER}/sipp/{scenario}"), "-i", "127.0.0.1", "-p", &port.to_string()])
            .args(["-mi", "127.0.0.1", "-mp", &media.to_string(), "-trace_logs", "-log_file"])
            .arg(self.files.path().join(log))
            .args(["-nostdin"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(words.try_clone().unwrap())
            .stderr(words)
            .spawn()
            .expect("SIPp starts (Debian's sip-tester)");
        self.sipp.push(sipp);
        // It listens once the port is taken.
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_taken(port) {
            assert!(Instant::now() < deadline, "SIPp does not listen: {}", self.words());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What a carrier (0, 1) noted.
    pub fn carrier_log(&self, carrier: usize) -> Vec<Line> {
        lines(&self.files.path().join(format!("carrier{carrier}.log")))
    }

    /// Waits until a carrier noted something of a number: what Asterisk tells may come before its message on the wire.
    pub async fn carrier_notes(&self, carrier: usize, word: &str, called: &str) -> Line {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log = self.carrier_log(carrier);
            if let Some(found) = log.iter().find(|line| line.word == word && line.called == called) {
                return found.clone();
            }
            assert!(Instant::now() < deadline, "no {word} of {called} at carrier {carrier}: {log:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a phone (0, 1) noted.
    pub fn phone_log(&self, phone: usize) -> Vec<Line> {
        lines(&self.files.path().join(format!("phone{phone}.log")))
    }

    /// Waits until a phone noted something so many times.
    pub async fn phone_does(&self, phone: usize, word: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.phone_log(phone).iter().filter(|line| line.word == word).count() < times {
            assert!(
                Instant::now() < deadline,
                "no {word} at phone {phone}: {:?}",
                [0, 1].map(|phone| self.phone_log(phone))
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Hangs up the channels whose ids begin like this, as whoever is on them would.
    pub fn hang_phone_up(&self, channel: &str) {
        for name in self.channels(channel) {
            self.asterisk(&format!("channel request hangup {name}"));
        }
    }

    /// Records what is heard on the telephone whose channel's id begins like this, from now on; gives the file.
    pub fn listen_to(&self, channel: &str) -> PathBuf {
        let inside = format!("{}/spool/monitor/heard", self.inside());
        for name in self.channels(channel) {
            self.asterisk(&format!("mixmonitor start {name} {inside}-both.wav,t({inside}.wav)"));
        }
        self.folder().join("spool/monitor/heard.wav")
    }

    /// The names of the channels whose ids begin like this.
    pub fn channels(&self, channel: &str) -> Vec<String> {
        let listed = self.asterisk("core show channels concise");
        let fields = listed.lines().map(|line| line.split('!').collect::<Vec<_>>());
        let wanted = fields.filter(|fields| fields.last().is_some_and(|id| id.starts_with(channel)));
        wanted.map(|fields| fields[0].to_owned()).collect()
    }

    /// How many channels are in bridges.
    pub fn channels_in_bridges(&self) -> usize {
        let listed = self.asterisk("core show channels concise");
        let bridge_of = |line: &str| line.split('!').nth(12).is_some_and(|bridge| !bridge.is_empty());
        listed.lines().filter(|line| bridge_of(line)).count()
    }

    /// How many bridges there are whose ids begin like this.
    pub fn bridges(&self, bridge: &str) -> usize {
        self.asterisk("bridge show all").lines().filter(|line| line.starts_with(bridge)).count()
    }

    /// What Asterisk's command line says.
    fn asterisk(&self, command: &str) -> String {
        let mut asterisk = Command::new("chroot");
        let configuration = format!("{}/etc/asterisk.conf", self.inside());
        asterisk.arg(&self.root).args(["asterisk", "-C", &configuration, "-rx", command]);
        String::from_utf8_lossy(&asterisk.output().unwrap().stdout).into_owned()
    }

    /// The message for people whom no agent is free for, of so many seconds, where Asterisk looks for its own.
    pub fn make_safe_harbour(&self, seconds: u32) {
        let file = self.folder().join("sounds/safe-harbour.wav");
        let mut sox = Command::new("sox");
        sox.args(["-q", "-n", "-r", "8000", "-c", "1", "-b", "16"]).arg(&file);
        run(sox.args(["synth", &seconds.to_string(), "sine", "660", "vol", "0.3"]));
    }

    /// How often a number was rung at a carrier.
    pub fn invites(&self, carrier: usize, number: &str) -> usize {
        let log = self.carrier_log(carrier);
        log.iter().filter(|line| line.word == "INVITE" && line.called == number).count()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the lab's last words:\n{}", self.words());
        }
        for child in self.sipp.iter_mut().chain(&mut self.asterisk) {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(self.folder());
    }
}

fn lines(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(line).collect()
}

/// `WORD CALLED DATE<tab>TIME<tab>SECONDS CALL-ID …`
fn line(text: &str) -> Option<Line> {
    let mut parts = text.split([' ', '\t']);
    let (word, called) = (parts.next()?, parts.next()?);
    let at = parts.nth(2)?.parse().ok()?;
    let rest = parts.collect::<Vec<_>>().join(" ");
    Some(Line { word: word.to_owned(), called: called.to_owned(), at, rest })
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Whether something has this port of UDP. To try and take it would be in the way of what is about to.
fn is_taken(port: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
    let ends = format!(":{port:04X}");
    sockets.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|address| address.ends_with(&ends))
}

/// Free for TCP and UDP now; below Linux's range for outgoing connections, so that none of those takes them meanwhile.
/// Ports that nobody listens on, with the number of their block and what holds it: tests that run at the same time get
/// different ones.
fn free_ports() -> (u16, Vec<u16>, std::fs::File) {
    for slot in 0..100 {
        let path = std::env::temp_dir().join(format!("outdial-lab-{slot}.lock"));
        let held = std::fs::File::create(path).unwrap();
        if held.try_lock().is_err() {
            continue;
        }
        // SIPp's media takes the ports after the first, too.
        let ports: Vec<u16> = (0..10).map(|index| 20_000 + slot * 100 + index * 10).collect();
        let is_free = |port: &u16| {
            TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
        };
        if ports.iter().all(is_free) {
            return (slot, ports, held);
        }
    }
    panic!("no ports are free between 20000 and 30000");
}
