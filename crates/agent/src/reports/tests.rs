//! Reports on a host, and what its key server may say to them.

use std::fs;

use keyroster_testkit::{Behaviour, CertificateKind, FakeKeyServer, TestCa};
use keyroster_wire::ReportKind;
use tempfile::TempDir;

use super::*;
use crate::testing::credential;

struct Scene {
    server: FakeKeyServer,
    fetcher: Fetcher,
    config: Config,
    disk: TempDir,
}

impl Scene {
    fn new(behaviour: Behaviour) -> Self {
        let ca = TestCa::new().unwrap();
        let server = FakeKeyServer::start(&ca, CertificateKind::Good, behaviour).unwrap();
        let disk = tempfile::tempdir().unwrap();
        let config = Config {
            reports_run_dir: disk.path().join("memory"),
            reports_dir: disk.path().join("disk"),
            ..Config::default()
        };
        for dir in [&config.reports_run_dir, &config.reports_dir] {
            fs::create_dir(dir).unwrap();
        }
        Self {
            fetcher: Fetcher::new(&credential(&ca, &server.url()), None).unwrap(),
            server,
            config,
            disk,
        }
    }

    fn put(&self, count: u8) {
        for number in 1..=count {
            let report = Report {
                kind: ReportKind::BreakGlass,
                id: ReportId::from_random([number; 16]),
                account: "deploy".to_owned(),
                key: "SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM".to_owned(),
                at_s: i64::from(number),
            };
            let path = self.config.reports_run_dir.join(report.id.to_string());
            fs::write(path, report.to_text().unwrap()).unwrap();
        }
    }

    /// Tells once, as a host agent that has just started.
    async fn tell(&self) -> Told {
        Reporter::new(&self.config).tell(&self.fetcher).await
    }

    fn left(&self) -> usize {
        let dirs = ["memory", "disk"].map(|name| self.disk.path().join(name));
        dirs.iter()
            .map(|dir| fs::read_dir(dir).unwrap().count())
            .sum()
    }
}

#[tokio::test]
async fn what_the_key_server_has_is_forgotten_a_request_at_a_time() {
    let scene = Scene::new(Behaviour::status(200));
    scene.put(40);
    assert!(matches!(scene.tell().await, Told::Some(MAX_REPORTS)));
    assert_eq!(scene.left(), 8);
    assert!(matches!(scene.tell().await, Told::Some(8)));
    assert!(matches!(scene.tell().await, Told::Nothing));
    assert_eq!((scene.left(), scene.server.requests().len()), (0, 2));
}

#[tokio::test]
async fn what_the_key_server_has_not_is_kept_whatever_it_says_and_is_told_later() {
    for (behaviour, how) in [
        (Behaviour::HangUp, Failed::Transport),
        (Behaviour::Garbage, Failed::Transport),
        (Behaviour::status(503), Failed::Transport),
        (Behaviour::status(429), Failed::Refused),
        (Behaviour::status(404), Failed::Refused),
        (Behaviour::status(410), Failed::Refused),
        (
            Behaviour::Redirect("https://127.0.0.1:1/".to_owned()),
            Failed::Refused,
        ),
    ] {
        let scene = Scene::new(behaviour.clone());
        scene.put(2);
        match scene.tell().await {
            Told::Failed(failed, _) => assert_eq!(failed, how, "{behaviour:?}"),
            other => panic!("{behaviour:?}: {other:?}"),
        }
        assert_eq!(scene.left(), 2, "{behaviour:?}");
        scene.server.set(Behaviour::status(200));
        assert!(matches!(scene.tell().await, Told::Some(2)), "{behaviour:?}");
        assert_eq!(scene.left(), 0);
    }
}

#[tokio::test]
async fn one_that_the_key_server_never_takes_is_kept_and_does_not_hold_up_the_next() {
    let scene = Scene::new(Behaviour::status(422));
    scene.put(2);
    let mut reporter = Reporter::new(&scene.config);
    let _ = reporter.tell(&scene.fetcher).await;
    assert_eq!((scene.left(), scene.server.requests().len()), (2, 3));
    scene.put(3);
    scene.server.set(Behaviour::status(200));
    assert!(matches!(reporter.tell(&scene.fetcher).await, Told::Some(1)));
    assert_eq!(scene.left(), 2);
}

#[tokio::test]
async fn one_that_cant_be_removed_is_told_once_and_does_not_hold_up_the_next() {
    let scene = Scene::new(Behaviour::status(200));
    scene.put(2);
    let kept = fs::File::open(&scene.config.reports_run_dir).unwrap();
    let mut reporter = Reporter::new(&scene.config);
    rustix::fs::ioctl_setflags(&kept, rustix::fs::IFlags::IMMUTABLE).unwrap();
    let first = reporter.tell(&scene.fetcher).await;
    let second = reporter.tell(&scene.fetcher).await;
    rustix::fs::ioctl_setflags(&kept, rustix::fs::IFlags::empty()).unwrap();
    assert!(matches!(first, Told::Some(2)), "{first:?}");
    assert!(matches!(second, Told::Nothing), "{second:?}");
    scene.put(3);
    assert!(matches!(reporter.tell(&scene.fetcher).await, Told::Some(1)));
    assert_eq!((scene.left(), scene.server.requests().len()), (0, 2));
}
