//! Workers that do not keep to the contract of shared memory, at the level of frames and
//! descriptors: what they claim fails typed, what they break is their own, and the host goes on.

use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use snakepit_bridge::core::Status;
use snakepit_bridge_proto as pb;

use crate::support::eventually;
use crate::wire::{Lane, Wire, blob, tensor_of};
use crate::world::{MIB, content, stats, tensor};

#[test]
fn what_cannot_be_is_refused_and_the_worker_may_go_on() {
    let mut wire = Wire::open(Lane::Right);
    let sealed = region(MIB, SEALS);
    wire.pass(7, MIB, &sealed);
    for (lie, status, told) in [
        (blob(7, 0, MIB as u64 + 1), Status::Protocol, "not within region 7"),
        (blob(7, MIB as u64, 1), Status::Protocol, "not within region 7"),
        (blob(7, u64::MAX, 2), Status::Protocol, "not within region 7"),
        (blob(7, 2, u64::MAX), Status::Protocol, "not within region 7"),
        (tensor_of("int32", &[3], 7, 16), Status::InvalidArgument, "cannot have 16 bytes"),
        (tensor_of("object", &[2], 7, 16), Status::TypeMismatch, "unknown tensor dtype"),
    ] {
        let error = wire.answer(lie).unwrap_err();
        assert_eq!(error.status(), status, "{error}");
        assert!(error.message().contains(told), "{error}");
        // Each was a look, and is over.
        assert_eq!(wire.notes().returned, [7]);
    }
    let honest = wire.answer(blob(7, 8, 16)).unwrap();
    assert_eq!(content(&honest), [1_u8; 16].as_slice());
    drop(honest);
    assert_eq!(wire.notes().returned, [7]);
    wire.close();
}

#[test]
fn regions_that_are_none_are_not_mapped() {
    let (pipe, _end) = rustix::pipe::pipe().unwrap();
    let huge = memfd_create("huge", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&huge, 1 << 40).unwrap();
    fcntl_add_seals(&huge, SEALS).unwrap();
    for (file, bytes, told) in [
        (region(MIB, SealFlags::SHRINK | SealFlags::GROW), MIB, "not sealed"),
        (region(MIB, SealFlags::GROW | SealFlags::FUTURE_WRITE), MIB, "not sealed"),
        (region(MIB, SEALS), 2 * MIB, "another size"),
        (region(MIB, SEALS), MIB / 2, "another size"),
        (region(MIB, SEALS), 0, "another size"),
        (pipe, MIB, "no region of memory"),
        (huge, 1 << 40, "bytes from one side"),
    ] {
        let mut wire = Wire::open(Lane::Right);
        wire.pass(1, bytes, &file);
        let error = wire.answer(blob(1, 0, 16)).unwrap_err();
        assert_eq!(error.status(), Status::ResourceExhausted, "{error}");
        assert!(error.message().contains(told), "{error}");
        assert_eq!(wire.notes().missing, [1]);
        // As if nothing had been: the number can still be given.
        wire.pass(1, MIB, &region(MIB, SEALS));
        assert!(wire.answer(blob(1, 0, 16)).is_ok());
        wire.close();
    }
}

#[test]
fn a_region_whose_descriptor_never_came_fails_the_call_at_once() {
    let mut wire = Wire::open(Lane::Right);
    let error = wire.answer(blob(5, 0, 16)).unwrap_err();
    assert_eq!(error.status(), Status::ResourceExhausted);
    assert!(error.message().contains("its descriptor has not come"), "{error}");
    assert_eq!(wire.notes().missing, [5]);
    wire.close();
}

#[test]
fn a_lane_full_of_rubbish_ends_the_lane_and_nothing_else() {
    let mut wire = Wire::open(Lane::Right);
    wire.scribble(b"seven b");
    let error = wire.answer(blob(5, 0, 16)).unwrap_err();
    assert!(error.message().contains("cut record"), "{error}");
    wire.notes();
    assert!(wire.answer_inline().is_ok());
    wire.close();
}

#[test]
fn without_the_right_key_there_is_no_sharing() {
    for lane in [Lane::Wrong, Lane::None] {
        let mut wire = Wire::open(lane);
        let error = wire.answer(blob(1, 0, 16)).unwrap_err();
        assert_eq!(error.status(), Status::Protocol);
        let call = wire.send(tensor(MIB, 1));
        let sent = call.parameters.unwrap().attachments.remove(0).kind.unwrap();
        assert!(matches!(sent, pb::attachment::Kind::Tensor(inline) if inline.data.len() == MIB));
        wire.close();
    }
}

#[test]
fn a_late_result_is_given_back() {
    let mut wire = Wire::open(Lane::Right);
    wire.pass(3, MIB, &region(MIB, SEALS));
    wire.answer_as(999_999, blob(3, 0, 16));
    assert_eq!(wire.notes().returned, [3]);
    wire.close();
}

#[test]
fn content_is_named_and_its_memory_kept_until_the_worker_returns_it() {
    let mut wire = Wire::open(Lane::Right);
    let first = wire.lent(tensor(MIB, 1));
    let second = wire.lent(tensor(MIB, 2));
    assert_ne!(first.region, second.region, "the first is still looked at");
    assert_eq!((first.offset, first.length, first.dtype.as_str()), (0, MIB as u64, "float32"));
    wire.returns(&[first.region]);
    eventually("the first is free", || stats().free_bytes > 0);
    let third = wire.lent(tensor(MIB, 3));
    assert_eq!(third.region, first.region);
    assert_eq!(wire.records(), [first.region, second.region], "one descriptor for each");
    // More than it ever got, and what it never got.
    wire.returns(&[third.region, third.region, third.region, 12345]);
    eventually("the third is free", || stats().free_bytes > 0);
    let fourth = wire.lent(tensor(MIB, 4));
    assert_eq!(fourth.region, first.region);
    wire.close();
}

#[test]
fn a_descriptor_that_got_lost_is_sent_again() {
    let mut wire = Wire::open(Lane::Right);
    let kept = tensor(MIB, 1);
    let first = wire.lent(kept.clone());
    assert_eq!(wire.records(), [first.region]);
    wire.misses(first.region);
    eventually("it is sent again", || {
        let again = wire.lent(kept.clone());
        assert_eq!(again.region, first.region);
        wire.records() == [first.region]
    });
    drop(kept);
    wire.close();
}

#[test]
fn a_worker_that_goes_between_descriptor_and_frame_keeps_nothing() {
    let mut wire = Wire::open(Lane::Right);
    wire.begin_unread(tensor(MIB, 1));
    assert_eq!(stats().free_bytes, 0);
    wire.hang_up();
    eventually("it is back", || stats().free_bytes == stats().bytes);
    wire.close();
}

fn region(bytes: usize, seals: SealFlags) -> OwnedFd {
    let file = memfd_create("lie", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::io::write(&file, &vec![1; bytes]).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file
}

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::FUTURE_WRITE);
