defmodule SnakepitBridge.Native.StreamsTest do
  # Streams on demand: what is not read holds Python back, and what nobody can read any more ends.
  use SnakepitBridge.NativeCase

  setup do
    {:ok, session: session()}
  end

  @count %{framework: "python", operation: "count", timeout: 60_000}

  defp start(session, to, options \\ @count) do
    ref = make_ref()
    {:ok, stream} = Native.execute_stream(session, options, value(%{to: to}), self(), ref)
    {stream, ref}
  end

  # All events up to the end.
  defp read({stream, ref} = from, max, seen \\ []) do
    case Native.stream_next(stream, max) do
      :wait ->
        assert next(ref) == :readable
        read(from, max, seen)

      events when is_list(events) ->
        assert length(events) <= max
        seen = seen ++ events
        if ended?(List.last(seen)), do: seen, else: read(from, max, seen)
    end
  end

  defp ended?(event), do: elem(event, 0) in [:done, :end]

  # Waits for one event.
  defp one({stream, ref} = from) do
    case Native.stream_next(stream, 1) do
      :wait ->
        assert next(ref) == :readable
        one(from)

      [event] ->
        event
    end
  end

  test "chunks come in order, and the result last", %{session: session} do
    events = read(start(session, 100), 7)
    assert Enum.take(events, 100) == for(n <- 0..99, do: {:chunk, n, {:term, n}})
    assert List.last(events) == {:done, {:ok, {:term, %{"counted" => 100}}}}
  end

  test "after its end a stream is closed", %{session: session} do
    {stream, ref} = from = start(session, 1)
    read(from, 10)
    assert {:error, %Error{status: :closed}} = Native.stream_next(stream, 1)
    assert Native.stream_cancel(stream) == :ok
    refute_receive {:snakepit_bridge, ^ref, _}, 20
  end

  test "a slow reader holds Python back", %{session: session} do
    {stream, ref} = from = start(session, 1_000_000, Map.put(@count, :window, 4))
    first = for _ <- 1..3, do: one(from)
    assert first == for(n <- 0..2, do: {:chunk, n, {:term, n}})
    # With a window of 4, Python is a few chunks ahead and stands; the end is a million away.
    assert Native.stream_cancel(stream) == :ok
    rest = read(from, 64)
    assert {:done, {:error, %Error{status: :cancelled}}} = List.last(rest)
    assert length(rest) < 40
    refute_receive {:snakepit_bridge, ^ref, _}, 20
  end

  test "a failing stream ends with its error", %{session: session} do
    ref = make_ref()
    options = %{@count | operation: "fail"}
    {:ok, stream} = Native.execute_stream(session, options, value(%{message: "x"}), self(), ref)
    assert [{:done, {:error, %Error{status: :python_exception}}}] = read({stream, ref}, 10)
  end

  test "a stream ends with its reader", %{session: session} do
    options = Map.put(@count, :window, 2)

    {pid, :started} =
      teller(fn ->
        from = start(session, 1_000_000, options)
        one(from)
        Process.put(:stream, from)
        :started
      end)

    assert calls_open(platform()) > 0
    kill(pid)
    eventually(fn -> calls_open(platform()) == 0 end)
  end

  test "a stream that nobody keeps is cancelled", %{session: session} do
    parent = self()

    reader =
      spawn_link(fn ->
        spawn_stream(session)
        send(parent, {:open, calls_open(platform())})
        :erlang.garbage_collect()
        Process.sleep(:infinity)
      end)

    assert_receive {:open, 1}, 60_000
    eventually(fn -> calls_open(platform()) == 0 end)
    assert Process.alive?(reader)
  end

  defp spawn_stream(session), do: one(start(session, 1_000_000, Map.put(@count, :window, 2)))

  test "many streams are read side by side", %{session: session} do
    streams = for _ <- 1..30, do: start(session, 20)
    for from <- streams, do: assert(length(read(from, 3)) == 21)
  end

  test "a watch tells changes, and why it ended", %{session: session} do
    {:ok, 1} = Native.variable_register(session, %{name: "a", type: "integer"}, value(1))
    ref = make_ref()
    {:ok, watch} = Native.watch_stream(session, "a", %{initial: true}, self(), ref)
    from = {watch, ref}
    assert {:variable, 1, {:term, %{"kind" => "initial", "value" => 1}}} = one(from)
    {:ok, 2} = Native.variable_set(session, "a", value(5), %{})
    assert {:variable, 2, {:term, %{"kind" => "written", "value" => 5}}} = one(from)
    assert Native.stream_cancel(watch) == :ok
    assert {:end, %Error{status: :cancelled}} = one(from)
  end

  test "a watch says how much it missed", %{session: session} do
    {:ok, 1} = Native.variable_register(session, %{name: "n", type: "integer"}, value(0))
    ref = make_ref()
    {:ok, watch} = Native.watch_stream(session, "*", %{queue_max: 4}, self(), ref)
    for n <- 1..50, do: {:ok, _} = Native.variable_set(session, "n", value(n), %{})
    Native.stream_cancel(watch)
    events = read({watch, ref}, 64)
    told = for {:variable, _, _} <- events, do: 1
    missed = for {:missed, count, {:term, %{}}} <- events, do: count
    assert length(told) + Enum.sum(missed) == 50 and missed != []
  end

  test "a reader that waits is woken by shutdown" do
    platform = open_platform(%{})
    {:ok, session} = Native.session_open(platform, %{})
    ref = make_ref()
    {:ok, watch} = Native.watch_stream(session, "*", %{}, self(), ref)
    assert Native.stream_next(watch, 1) == :wait
    {:done, {:ok, _}} = done(&Native.platform_shutdown(platform, 1, &1, &2))
    assert next(ref) == :readable
    assert [{:end, %Error{}} | _] = Native.stream_next(watch, 5)
    assert {:error, %Error{status: :closed}} = Native.stream_next(watch, 5)
  end

  test "the log comes as messages until it is cancelled" do
    ref = make_ref()
    {:ok, log} = Native.log_subscribe(platform(), %{level: 20}, self(), ref)
    {:ok, _} = call(session(), "speak", %{text: "heard"})
    assert heard?(ref)
    assert Native.stream_cancel(log) == :ok
    assert {:error, %Error{status: :invalid_argument}} = Native.stream_next(log, 1)
  end

  defp heard?(ref) do
    {:log, record} = next(ref)
    inspect(record) =~ "logged heard" or heard?(ref)
  end
end
