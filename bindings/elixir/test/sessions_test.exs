defmodule SnakepitBridge.SessionsTest do
  # Sessions of a platform without workers: what they are, and how they end.
  use SnakepitBridge.BridgeCase, async: false

  alias SnakepitBridge.{Archive, Blob}

  setup_all do
    config = %{pools: %{}}
    start_supervised!({SnakepitBridge.Supervisor, name: __MODULE__, config: config, logs: false})
    %{platform: __MODULE__}
  end

  test "a session is as it was asked for, and closed once", %{platform: platform} do
    {:ok, session} =
      Sessions.open(
        platform: platform,
        id: "atlas",
        ttl: 60_000,
        metadata: %{user: "ann"},
        affinity: :hint
      )

    assert %Session{id: "atlas", platform: ^platform} = session
    assert inspect(session) =~ "atlas"
    {:ok, info} = Sessions.info(session)

    assert %{"id" => "atlas", "metadata" => %{"user" => "ann"}, "ttl_ms" => 60_000} = info
    assert %{"affinity" => "hint", "closed" => false, "variables" => 0} = info

    assert {:error, %Error{status: :already_exists}} =
             Sessions.open(platform: platform, id: "atlas")

    assert :ok = Sessions.touch(session)
    assert :ok = Sessions.close(session)
    assert {:error, %Error{status: :closed}} = Sessions.close(session)
    assert {:error, %Error{status: :closed}} = Sessions.info(session)
    assert_raise Error, fn -> Sessions.info!(session) end
  end

  test "sessions are joined and listed", %{platform: platform} do
    one = Sessions.open!(platform: platform, id: "list-1", ttl: :infinity)
    two = Sessions.open!(platform: platform, id: "list-2")
    {:ok, joined} = Sessions.join("list-1", platform: platform)
    State.register!(joined, "n", :integer, 1)
    assert State.get!(one, "n") == 1

    {:ok, rows} = Sessions.list(platform: platform, after: "list-", limit: 2)
    assert Enum.map(rows, & &1["id"]) == ["list-1", "list-2"]
    assert [%{"affinity" => "none", "open" => true}, _] = rows
    Enum.each([one, two], &Sessions.close!/1)
    assert {:error, %Error{status: :not_found}} = Sessions.join("list-1", platform: platform)
    assert_raise Error, fn -> Sessions.join!("list-1", platform: platform) end
  end

  test "a copy has everything but the id, and goes its own way", %{platform: platform} do
    session = session(platform)
    State.register!(session, "n", :integer, 1)
    State.set!(session, "n", 2)
    copy = Sessions.clone!(session, metadata: [copied: true])
    assert copy.id != session.id
    assert State.history!(copy, "n") == [{1, 1}, {2, 2}]
    State.set!(copy, "n", 9)
    assert State.get!(session, "n") == 2
    assert %{"metadata" => %{"copied" => true}} = Sessions.info!(copy)
    Sessions.close!(copy)
  end

  @tag :tmp_dir
  test "a session leaves and comes back by a file and by an archive", context do
    session = Sessions.open!(platform: context.platform, id: "exported")
    State.register!(session, "b", :bytes, %Blob{data: <<0, 255>>})
    path = Path.join(context.tmp_dir, "session.zip")
    assert :ok = Sessions.export(session, path)
    assert {:ok, %Archive{} = archive} = Sessions.export(session)
    Sessions.close!(session)

    for source <- [path, archive] do
      {:ok, again} = Sessions.import_session(source, platform: context.platform)
      assert again.id == "exported"
      assert State.get!(again, "b") == %Blob{data: <<0, 255>>}
      Sessions.close!(again)
    end

    assert {:error, %Error{status: :unavailable}} =
             Sessions.import_session(path <> "x", platform: context.platform)
  end

  test "a session for a function ends with it, however it ends", %{platform: platform} do
    session =
      Sessions.with_session([platform: platform], fn session ->
        assert State.register!(session, "n", :integer, 1) == 1
        session
      end)

    assert {:error, %Error{status: :closed}} = Sessions.info(session)

    assert catch_throw(
             Sessions.with_session([platform: platform, id: "thrown"], fn _ -> throw(:out) end)
           ) == :out

    assert {:error, %Error{status: :not_found}} = Sessions.join("thrown", platform: platform)
  end

  test "a platform that does not run is an error, and so are wrong options" do
    assert {:error, %Error{status: :unavailable, retryable: true, message: message}} =
             Sessions.open(platform: NoSuch)

    assert message =~ "NoSuch"
    assert_raise ArgumentError, fn -> Sessions.open(platform: __MODULE__, idd: "x") end
    assert_raise ArgumentError, ~r/ttl/, fn -> Sessions.open(platform: __MODULE__, ttl: 0) end
  end
end
