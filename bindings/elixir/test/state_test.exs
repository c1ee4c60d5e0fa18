defmodule SnakepitBridge.StateTest do
  # Variables: every verb, its refusals, what watchers are told. No worker is needed.
  use SnakepitBridge.BridgeCase, async: false

  alias SnakepitBridge.{Change, Tensor, Variable}

  setup_all do
    config = %{pools: %{}}
    start_supervised!({SnakepitBridge.Supervisor, name: __MODULE__, config: config, logs: false})
    :ok
  end

  setup do
    %{session: session(__MODULE__)}
  end

  test "values are read as they were written", %{session: session} do
    tensor = %Tensor{
      dtype: :float32,
      shape: {2},
      data: <<0.5::float-32-little, 2::float-32-little>>
    }

    for {name, type, value} <- [
          {:text, :string, "über"},
          {:count, :integer, 9_007_199_254_740_993},
          {:ratio, :float, 0.1},
          {:whether, :boolean, true},
          {:document, :json, %{"a" => [1, nil, %{"$spb" => 2}]}},
          {:grid, :tensor, tensor}
        ] do
      assert {:ok, 1} = State.register(session, name, type, value)
      assert {:ok, ^value} = State.get(session, name)
    end

    assert {:ok, 1} = State.register(session, "x", :float, :nan, constraints: %{finite: false})
    assert {:ok, {:nan, 1}} = State.get_with_version(session, "x")
  end

  test "writes have versions and conditions", %{session: session} do
    State.register!(session, "n", :integer, 1, constraints: [min: 0], metadata: [unit: "s"])
    assert {:ok, 2} = State.set(session, "n", 5)
    assert {:ok, 7} = State.update(session, "n", add: 2)
    assert {:ok, {8, 4}} = State.update_with_version(session, "n", %{add: 1})
    assert {:ok, 5} = State.rollback(session, "n", 1)
    assert {:ok, history} = State.history(session, "n")
    assert history == [{1, 1}, {2, 5}, {3, 7}, {4, 8}, {5, 1}]

    assert {:error, %Error{status: :version_conflict, details: details}} =
             State.set(session, "n", 6, expected_version: 2)

    assert %{"expected" => 2, "actual" => 5} = details
    assert {:error, %Error{status: :constraint}} = State.set(session, "n", -1)
    assert {:error, %Error{status: :type_mismatch}} = State.set(session, "n", "much")
    assert {:error, %Error{status: :already_exists}} = State.register(session, "n", :integer, 1)
    assert_raise Error, fn -> State.set!(session, "n", -1) end
    assert {:error, %Error{status: :not_found}} = State.delete(session, "m")
    assert :ok = State.delete(session, "n", expected_version: 5)
    assert {:error, %Error{status: :not_found}} = State.get(session, "n")
  end

  test "several are read at one moment and written all or none", %{session: session} do
    for name <- ~w(a b), do: State.register!(session, name, :integer, 0)
    assert {:ok, %{"a" => 2, "b" => 2}} = State.set_many(session, a: 1, b: 2)

    assert {:error, %Error{status: :version_conflict}} =
             State.set_many(session, [{"a", 9}, {"b", 9, 1}])

    {:ok, {found, missing}} = State.get_many(session, ["a", :b, "c"])
    assert %{"a" => %Variable{value: 1, version: 2}, "b" => %Variable{value: 2}} = found
    assert missing == ["c"]
    assert {:ok, [%Variable{name: "b"}]} = State.list(session, pattern: "*", after: "a")
    assert [%Variable{name: "a", type: "integer"}] = State.list!(session, limit: 1)
  end

  test "a lock keeps others out, and is given back", %{session: session} do
    State.register!(session, "n", :integer, 0)

    assert :done =
             State.with_lock(session, "n", [ttl: 60_000], fn owner ->
               assert {:error, %Error{status: :busy, details: %{"owner" => ^owner}}} =
                        State.set(session, "n", 1)

               assert {:ok, 2} = State.set(session, "n", 1, owner: owner)
               assert [%Variable{lock: %{owner: ^owner}}] = State.list!(session)
               :done
             end)

    assert {:ok, 3} = State.set(session, "n", 2)
    assert State.lock!(session, "n", owner: "me") == "me"
    assert {:error, %Error{status: :busy}} = State.unlock(session, "n", "you")
    assert :ok = State.unlock!(session, "n", "me")
  end

  test "a watch tells in order, and ends with its session" do
    session = Sessions.open!(platform: __MODULE__)
    State.register!(session, "a", :integer, 1)
    test = self()

    reader =
      Task.async(fn ->
        session
        |> State.watch(["a", "b*"], initial: true)
        |> Enum.map(fn change ->
          send(test, change)
          change
        end)
      end)

    assert_receive %Change{kind: :initial, name: "a", value: 1}, 60_000
    State.set!(session, "a", 2)
    State.register!(session, "bb", :string, "x")
    State.register!(session, "other", :integer, 0)
    State.delete!(session, "bb")
    assert_receive %Change{kind: :deleted}, 60_000
    Sessions.close!(session)
    changes = Task.await(reader, 60_000)

    assert Enum.map(changes, &{&1.kind, &1.name, &1.value}) == [
             {:initial, "a", 1},
             {:written, "a", 2},
             {:registered, "bb", "x"},
             {:deleted, "bb", nil},
             {:end, nil, nil}
           ]

    assert %Error{status: :closed} = List.last(changes).error
  end

  test "a watch that is left is over", %{session: session} do
    State.register!(session, "a", :integer, 1)
    assert [%Change{kind: :initial}] = session |> State.watch("a", initial: true) |> Enum.take(1)
    assert [%Change{kind: :end, error: %Error{}}] = session |> State.watch("§") |> Enum.to_list()
  end

  test "a subscriber gets messages until it has enough", %{session: session} do
    State.register!(session, "a", :integer, 0)
    {:ok, subscription} = State.subscribe(session, "a", initial: true)
    ref = subscription.ref
    assert_receive {:snakepit_bridge, ^ref, %Change{kind: :initial}}, 60_000
    for value <- 1..10, do: State.set!(session, "a", value)

    for value <- 1..10 do
      assert_receive {:snakepit_bridge, ^ref, %Change{kind: :written, value: ^value}}, 60_000
    end

    State.set!(session, "a", 11)
    assert :ok = State.unsubscribe(subscription)
    refute_received {:snakepit_bridge, ^ref, _}
  end

  test "a subscriber that reads nothing is not flooded", %{session: session} do
    State.register!(session, "a", :integer, 0)
    {:ok, subscription} = State.subscribe(session, "a", initial: true, queue_max: 50)
    ref = subscription.ref
    for value <- 1..5_000, do: State.set!(session, "a", value)
    {:message_queue_len, waiting} = Process.info(self(), :message_queue_len)
    assert waiting <= 200

    # All of them are told or counted.
    drain(ref, 0)
    State.unsubscribe(subscription)
    assert {:error, %Error{status: :invalid_argument}} = State.subscribe(session, "§")
  end

  test "a subscription ends with its subscriber", %{session: session} do
    test = self()

    subscriber =
      spawn(fn ->
        {:ok, subscription} = State.subscribe(session, "a")
        send(test, subscription.reader)
        Process.sleep(:infinity)
      end)

    assert_receive reader when is_pid(reader), 60_000
    monitor = Process.monitor(reader)
    Process.exit(subscriber, :kill)
    assert_receive {:DOWN, ^monitor, _, _, _}, 60_000
  end

  @tag :tmp_dir
  test "the verbs are the same on a store with a disk", %{tmp_dir: folder} do
    name = __MODULE__.Sqlite
    config = %{pools: %{}, state: %{store: "sqlite", path: Path.join(folder, "state.db")}}
    start = {SnakepitBridge.Supervisor, name: name, config: config, logs: false}
    start_supervised!(start)
    session = Sessions.open!(platform: name, id: "kept", ttl: :infinity)
    assert 1 = State.register!(session, "n", :integer, 1)
    assert {:ok, 3} = State.update(session, "n", add: 2)
    assert {:ok, %{"n" => 3}} = State.set_many(session, %{"n" => 4})
    assert {:ok, _owner} = State.lock(session, "n")
    stop_supervised!({SnakepitBridge.Supervisor, name})

    start_supervised!(start)
    {:ok, again} = Sessions.join("kept", platform: name)
    assert {:ok, {4, 3}} = State.get_with_version(again, "n")
    assert {:ok, [{1, 1}, {2, 3}, {3, 4}]} = State.history(again, "n")
    assert {:error, %Error{status: :closed}} = State.get(session, "n")
  end

  # Changes that were told, and those that were counted, until all of them are.
  defp drain(_ref, 5_001), do: :ok

  defp drain(ref, told) do
    receive do
      {:snakepit_bridge, ^ref, %Change{kind: :missed, missed: count}} -> drain(ref, told + count)
      {:snakepit_bridge, ^ref, %Change{}} -> drain(ref, told + 1)
    after
      20_000 -> flunk("only #{told} changes")
    end
  end
end
