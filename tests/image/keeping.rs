//! The store: several at once, what is in use, and what a killed process leaves.

use std::fs;
use std::path::Path;
use std::thread;

use terrarium::image::archive::load;
use terrarium::image::store::{Force, Store, Untagged};

use crate::crafted::{Crafted, docker_archive};

fn archive(name: &str, content: &str) -> Vec<u8> {
    let base = Crafted::default().directory("etc").file("etc/base", "base").bytes();
    let layer = Crafted::default().file("content", content).bytes();
    docker_archive(name, &[base, layer], |_| {})
}

fn holder(desk: &Path) -> std::path::PathBuf {
    let holder = desk.join("a-container");
    fs::create_dir(&holder).unwrap();
    holder
}

fn count(store: &Store, part: &str) -> usize {
    fs::read_dir(store.path().join(part)).unwrap().count()
}

#[test]
fn images_share_the_layers_that_they_have_in_common() {
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path().join("store"));
    load(&archive("one:1", "one")[..], &store).unwrap();
    load(&archive("two:1", "two")[..], &store).unwrap();
    assert_eq!(count(&store, "layers"), 3);
    store.remove("one:1", Force::No).unwrap();
    assert_eq!(store.sweep().unwrap().layers, 1);
    assert_eq!(count(&store, "layers"), 2);
    assert_eq!(store.check().unwrap(), []);
}

#[test]
fn an_image_in_use_stays_and_by_force_its_layers_do() {
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path().join("store"));
    let loaded = load(&archive("used:1", "used")[..], &store).unwrap().remove(0);
    let holder = holder(desk.path());
    let layers = store.lease(&holder, &loaded.id).unwrap();
    assert_eq!(layers.len(), 2);
    let refused = store.remove("used:1", Force::No).unwrap_err().to_string();
    assert!(refused.contains("container a-container is using it"), "{refused}");
    let gone = store.remove("used:1", Force::Yes).unwrap();
    assert_eq!(gone, [Untagged::Name("used:1".into()), Untagged::Image(loaded.id.clone())]);
    store.sweep().unwrap();
    // The container can be started again although there is no such image any more.
    assert_eq!(store.lease(&holder, &loaded.id).unwrap(), layers);
    assert!(layers.iter().all(|layer| layer.is_dir()));
    fs::remove_dir(&holder).unwrap();
    assert_eq!(store.sweep().unwrap().layers, 2);
}

#[test]
fn a_name_moves_and_what_it_left_has_none() {
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path());
    let first = load(&archive("app:1", "first")[..], &store).unwrap().remove(0);
    let second = load(&archive("app:1", "second")[..], &store).unwrap().remove(0);
    assert_eq!(store.find("app:1").unwrap().id, second.id);
    assert_eq!(store.find(first.id.short()).unwrap().id, first.id);
    let nameless = store.names().unwrap().into_iter().filter(|named| named.reference.is_none()).count();
    assert_eq!(nameless, 1);
    // One of several names goes alone; the last takes the image along.
    store.set_name(&"app:2".parse().unwrap(), &store.find("app:1").unwrap().descriptor).unwrap();
    assert_eq!(store.remove("app:1", Force::No).unwrap(), [Untagged::Name("app:1".into())]);
    assert_eq!(store.remove("app:2", Force::No).unwrap().last(), Some(&Untagged::Image(second.id)));
}

#[test]
fn what_is_not_there_or_not_clear_is_said() {
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path().join("store"));
    for (word, expected) in [
        ("nothing", "no such image: nothing"),
        ("deadbeef", "no such image: deadbeef"),
        ("UPPER", "lowercase"),
    ] {
        let error = store.find(word).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(!store.path().exists(), "looking has made a directory");
}

#[test]
fn many_load_the_same_image_at_once() {
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path());
    let archives: Vec<Vec<u8>> = (0..8).map(|nth| archive(&format!("many:{nth}"), "the same")).collect();
    thread::scope(|scope| {
        for archive in &archives {
            scope.spawn(|| load(&archive[..], &store).unwrap());
        }
        scope.spawn(|| store.sweep().unwrap());
    });
    assert_eq!(store.names().unwrap().len(), 8);
    assert_eq!((count(&store, "layers"), count(&store, "making")), (2, 0));
    assert_eq!(store.check().unwrap(), []);
}

#[test]
fn what_a_killed_process_left_is_cleared_by_the_next() {
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path());
    load(&archive("app:1", "app")[..], &store).unwrap();
    fs::write(store.path().join("making/1-0"), "half a blob").unwrap();
    fs::create_dir_all(store.path().join("making/1-1/half/a/layer")).unwrap();
    // As long as somebody adds something it may be his.
    let adding = store.add().unwrap();
    fs::write(store.path().join("making/1-2"), "being written").unwrap();
    drop(store.add().unwrap());
    assert_eq!(count(&store, "making"), 1);
    drop(adding);
    drop(store.add().unwrap());
    assert_eq!(count(&store, "making"), 0);
}

#[test]
fn a_layer_that_was_unpacked_when_the_host_went_down_is_unpacked_anew() {
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path().join("store"));
    let loaded = load(&archive("app:1", "app")[..], &store).unwrap().remove(0);
    let holder = holder(desk.path());
    let layers = store.lease(&holder, &loaded.id).unwrap();
    let marks: Vec<_> =
        fs::read_dir(store.path().join("unsettled")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(marks.len(), 2);
    // What a loss of power makes of files that were still on their way.
    fs::write(layers[0].join("content"), "").unwrap();
    for mark in &marks {
        fs::write(mark, "another life").unwrap();
    }
    assert!(store.check().unwrap()[0].to_string().contains("is not unpacked"));
    assert_eq!(store.lease(&holder, &loaded.id).unwrap(), layers);
    assert_eq!(fs::read_to_string(layers[0].join("content")).unwrap(), "app");
    assert_eq!(store.check().unwrap(), []);
    // A while later they are on the disk for certain.
    for mark in &marks {
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(300);
        fs::File::options().append(true).open(mark).unwrap().set_modified(then).unwrap();
    }
    drop(store.add().unwrap());
    assert_eq!(count(&store, "unsettled"), 0);
    assert_eq!(store.lease(&holder, &loaded.id).unwrap(), layers);
}

#[test]
fn damage_is_found() {
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path());
    load(&archive("app:1", "app")[..], &store).unwrap();
    let image = store.find("app:1").unwrap();
    let blob = store.blob(&image.manifest.layers[1].digest);
    let mut bytes = fs::read(&blob).unwrap();
    bytes[600] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let flaws = store.check().unwrap();
    assert_eq!(flaws.len(), 1);
    assert!(flaws[0].to_string().contains("has become"), "{}", flaws[0]);
    fs::write(store.blob(&image.id), "{}").unwrap();
    assert!(store.check().unwrap()[0].to_string().contains("was promised"));
}
